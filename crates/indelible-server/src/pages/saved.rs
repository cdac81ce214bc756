//! `POST /search/saved`: a search is kept under a name, or forgotten. Each sees their own.

use std::sync::Arc;

use axum::body::Body;
use indelible_access::searches::SearchesError;
use indelible_event::words::Action;

use super::see_other;
use crate::api::{blocking, form};
use crate::call::{Answer, Call};
use crate::problem::{Kind, Problem};
use crate::query_string::wrong;
use crate::trail::bounded;

/// Keeps or forgets.
pub(super) async fn change(call: &Call, body: Body) -> Result<Answer, Problem> {
    let form = form(call, body, &["name", "question", "forget"]).await?;
    let name = form.get("name").unwrap_or_default().trim().to_owned();
    let question = form.get("question").unwrap_or_default().to_owned();
    if !is_question(&question) {
        return Err(wrong("question", "wrong-value", "a search is kept by the query string of its page".to_owned()));
    }
    let forget = form.get("forget").is_some();
    let owner = call.caller().to_owned();
    let word = if forget { "forget" } else { "keep" };
    let event = call.event_of(Action::Configure).resource("search", &name).attribute("change", word);
    let event = event.attribute("question", bounded(&question));
    let mark = call.record(call.app.logs.first(), event).await?;
    let (app, kept) = (Arc::clone(&call.app), question.clone());
    let done =
        blocking(
            move || {
                if forget { app.searches.forget(&owner, &name) } else { app.searches.keep(&owner, &name, &kept) }
            },
        );
    done.await?.map_err(problem)?;
    Ok(Answer::new(see_other(&format!("/search{question}")), mark))
}

/// Those of the caller: name and question.
pub(super) async fn list(call: &Call) -> Result<Vec<(String, String)>, Problem> {
    let (app, owner) = (Arc::clone(&call.app), call.caller().to_owned());
    blocking(move || app.searches.of(&owner)).await?.map_err(problem)
}

/// A query string of the search page, and nothing else.
fn is_question(text: &str) -> bool {
    text.is_empty() || (text.starts_with('?') && text.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn problem(error: SearchesError) -> Problem {
    match error {
        SearchesError::Name => wrong("name", "wrong-value", error.to_string()),
        SearchesError::Question => wrong("question", "too-long", error.to_string()),
        SearchesError::Full => Problem::new(Kind::Conflict, error.to_string()),
        SearchesError::Connect(_) | SearchesError::File(_) => Problem::internal(error),
    }
}
