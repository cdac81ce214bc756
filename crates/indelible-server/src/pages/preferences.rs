//! How times and colours are shown to this browser: kept by the browser itself.

use axum::body::Body;
use axum::http::header::SET_COOKIE;

use super::zone::Zone;
use super::{cookies, is_ours, see_other};
use crate::api::form;
use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::query_string::wrong;
use crate::trail::Mark;

/// Sets what the form names, and goes back.
pub(super) async fn set(call: &Call, body: Body) -> Result<Answer, Problem> {
    let form = form(call, body, &["zone", "theme", "back"]).await?;
    let back = form.get("back").filter(|back| is_ours(back));
    let mut response = see_other(back.unwrap_or("/"));
    if let Some(word) = form.get("zone") {
        let zone = Zone::parse(word).ok_or_else(|| {
            wrong("zone", "wrong-value", "a zone is `source`, `utc` or a name such as `Europe/Berlin`".to_owned())
        })?;
        response.headers_mut().extend(cookies::set_preference(cookies::ZONE, zone.word()).map(|set| (SET_COOKIE, set)));
    }
    if let Some(theme) = form.get("theme") {
        if !matches!(theme, "auto" | "light" | "dark") {
            return Err(wrong("theme", "wrong-value", "a theme is `auto`, `light` or `dark`".to_owned()));
        }
        response.headers_mut().extend(cookies::set_preference(cookies::THEME, theme).map(|set| (SET_COOKIE, set)));
    }
    Ok(Answer::new(response, Mark::not_needed("kept by the browser")))
}
