//! Tokens: made, listed, revoked; each change on record before it is answered. Making one is recorded before the token opens
//! anything; revoking takes effect first, for a right is never left standing because the log is full.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use indelible_access::{Holder, HolderError, NewToken, Role, TokenError, TokenName, TokenRow};
use indelible_event::json::Value;
use indelible_event::time::RecordedTime;
use indelible_event::words::{Action, ActorType, OutcomeResult};
use serde::{Deserialize, Serialize};

use super::blocking;
use super::body::small;
use crate::call::{Answer, Call, json_response};
use crate::problem::{Kind, Problem};
use crate::query_string::wrong;

/// A token to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenRequest {
    /// Its name: who acts. Unique among live tokens.
    name: String,
    /// `admin`, `ingest`, `read`, `gateway`, `approver` or `responder`.
    role: String,
    /// Who will hold it: `human`, `service` (when missing) or `agent`. Policies and events see it.
    actor_type: Option<String>,
    /// The roles of its holder, for policies and budgets (`principal in Role::"…"`); not what the token may do here.
    #[serde(default)]
    roles: Vec<String>,
    /// The groups of its holder (`principal in Group::"…"`).
    #[serde(default)]
    groups: Vec<String>,
    /// The logs to limit it to; every log when missing.
    logs: Option<Vec<String>>,
    /// When it stops working (RFC 3339, such as `2027-01-01T00:00:00Z`); never when missing.
    expires: Option<String>,
}

/// A token; its text is there only in the answer that makes it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TokenAnswer {
    /// Its public id, by which it is revoked.
    id: String,
    name: String,
    role: &'static str,
    /// Who holds it.
    actor_type: &'static str,
    /// The holder's roles.
    roles: Vec<String>,
    /// The holder's groups.
    groups: Vec<String>,
    /// The logs it is limited to; `null` for every log.
    logs: Option<Vec<String>>,
    created: String,
    expires: Option<String>,
    revoked: Option<String>,
    /// To the minute; `null` when never.
    last_used: Option<String>,
    /// The secret: shown once, kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// All tokens.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TokensAnswer {
    tokens: Vec<TokenAnswer>,
}

/// Makes a token.
#[utoipa::path(
    post, path = "/v1/tokens", operation_id = "tokens.create", tag = "tokens",
    request_body = inline(NewTokenRequest),
    responses((status = 201, description = "Made; `token` is shown this once", body = inline(TokenAnswer)))
)]
pub(crate) async fn create(call: &Call, body: Body) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let body = small(&call.app, &call.parts.headers, body).await?;
    let new = new_token(call, &body)?;
    let now = call.app.environment.now_seconds();
    let app = Arc::clone(&call.app);
    let minted = blocking(move || app.tokens.mint(new, now)).await?.map_err(problem)?;
    let log = call.app.logs.first();
    let mark = call.record(log, described(call.event_of(Action::Grant), &minted.row)).await?;
    let app = Arc::clone(&call.app);
    let (id, name) = (minted.row.id.clone(), minted.row.name.clone());
    let kept = blocking(move || app.tokens.keep(minted)).await?;
    let (row, text) = match kept {
        Ok(kept) => kept,
        Err(error) => {
            // The grant is on record and did not happen: say so.
            let event = call.event_of(Action::Grant).result(OutcomeResult::Failed).resource("token", &id);
            let _mark = call.record(log, event.attribute("name", name.as_str())).await?;
            return Err(problem(error));
        }
    };
    let answer = TokenAnswer { token: text.map(|text| text.reveal().to_owned()), ..answer(row) };
    let body = serde_json::to_vec(&answer).map_err(Problem::internal)?;
    Ok(Answer::new(json_response(StatusCode::CREATED, body), mark))
}

/// Lists tokens, revoked ones too.
#[utoipa::path(
    get, path = "/v1/tokens", operation_id = "tokens.list", tag = "tokens",
    responses((status = 200, description = "All tokens, without their secrets", body = inline(TokensAnswer)))
)]
pub(crate) async fn list(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let app = Arc::clone(&call.app);
    let rows = blocking(move || app.tokens.list()).await?.map_err(problem)?;
    let tokens: Vec<TokenAnswer> = rows.into_iter().map(answer).collect();
    let event = call.event().attribute("tokens", super::count(tokens.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    Answer::json(&TokensAnswer { tokens }, mark)
}

/// Revokes a token.
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", operation_id = "tokens.revoke", tag = "tokens",
    params(("id" = String, Path, description = "The token's id (`tok_…`)")),
    responses((status = 200, description = "Revoked: it opens nothing any more", body = inline(TokenAnswer)))
)]
pub(crate) async fn revoke(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&[])?;
    let id = call.path_part("id").to_owned();
    let now = call.app.environment.now_seconds();
    let app = Arc::clone(&call.app);
    let row = blocking(move || app.tokens.revoke(&id, now)).await?.map_err(problem)?;
    let mark = call.record(call.app.logs.first(), described(call.event_of(Action::Revoke), &row)).await?;
    Answer::json(&answer(row), mark)
}

type Event<'a> = indelible_event::build::EventBuilder<'a>;

/// What an event tells of a token.
fn described<'a>(event: Event<'a>, row: &'a TokenRow) -> Event<'a> {
    let logs = row.logs.as_ref().map_or_else(|| "*".to_owned(), |logs| logs.join(","));
    let event = event
        .resource("token", &row.id)
        .attribute("name", row.name.as_str())
        .attribute("role", row.role.word())
        .attribute("actor_type", row.holder.actor_type().as_str())
        .attribute("logs", logs);
    let named = [("roles", row.holder.roles()), ("groups", row.holder.groups())];
    let event = named.into_iter().filter(|(_, names)| !names.is_empty()).fold(event, |event, (field, names)| {
        event.attribute(field, Value::List(names.iter().map(|name| Value::Text(name.as_str().into())).collect()))
    });
    match row.expires {
        Some(expires) => event.attribute("expires", time(expires)),
        None => event,
    }
}

fn new_token(call: &Call, body: &[u8]) -> Result<NewToken, Problem> {
    let asked: NewTokenRequest = serde_json::from_slice(body)
        .map_err(|error| wrong("", "wrong-body", format!("the body is not the description of a token: {error}")))?;
    let name = TokenName::new(&asked.name).map_err(|error| wrong("name", "wrong-value", error.to_string()))?;
    let role = Role::parse(&asked.role).ok_or_else(|| {
        wrong(
            "role",
            "wrong-value",
            "the role is `admin`, `ingest`, `read`, `gateway`, `approver` or `responder`".to_owned(),
        )
    })?;
    let holder = holder(asked.actor_type.as_deref(), asked.roles, asked.groups)?;
    let expires = asked.expires.as_deref().map(|text| expiry(call, text)).transpose()?;
    if let Some(logs) = &asked.logs {
        if logs.is_empty() || logs.len() > indelible_access::book::TOKEN_LOGS_MAX {
            return Err(wrong(
                "logs",
                "wrong-value",
                "name 1 to 100 logs, or leave `logs` out for every log".to_owned(),
            ));
        }
        if role == Role::Admin {
            return Err(wrong("logs", "wrong-value", "an admin token cannot be limited to logs".to_owned()));
        }
        for log in logs {
            call.app.logs.find(log)?;
        }
    }
    Ok(NewToken { name, role, holder, logs: asked.logs, expires })
}

fn holder(actor_type: Option<&str>, roles: Vec<String>, groups: Vec<String>) -> Result<Holder, Problem> {
    let word = actor_type.unwrap_or(ActorType::Service.as_str());
    let actor_type = ActorType::parse(word)
        .ok_or_else(|| wrong("actor_type", "wrong-value", "it is `human`, `service` or `agent`".to_owned()))?;
    Holder::new(actor_type, roles, groups).map_err(|error| {
        let field = match error {
            HolderError::ActorType { .. } => "actor_type",
            HolderError::TooMany { field, .. } | HolderError::Name { field, .. } => field,
        };
        wrong(field, "wrong-value", error.to_string())
    })
}

fn expiry(call: &Call, text: &str) -> Result<i64, Problem> {
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        wrong("expires", "wrong-value", "`expires` is a time with an offset, such as `2027-01-01T00:00:00Z`".to_owned())
    })?;
    if time.as_second() <= call.app.environment.now_seconds() {
        return Err(wrong("expires", "wrong-value", "`expires` lies in the past".to_owned()));
    }
    Ok(time.as_second())
}

fn answer(row: TokenRow) -> TokenAnswer {
    TokenAnswer {
        id: row.id,
        name: row.name.to_string(),
        role: row.role.word(),
        actor_type: row.holder.actor_type().as_str(),
        roles: row.holder.roles().to_vec(),
        groups: row.holder.groups().to_vec(),
        logs: row.logs,
        created: time(row.created),
        expires: row.expires.map(time),
        revoked: row.revoked.map(time),
        last_used: (row.used > 0).then(|| time(row.used - row.used % 60)),
        token: None,
    }
}

fn time(seconds: i64) -> String {
    RecordedTime::from_unix_seconds(seconds).whole_seconds()
}

fn problem(error: TokenError) -> Problem {
    match error {
        TokenError::NameTaken { .. } | TokenError::LastAdmin { .. } | TokenError::Full => {
            Problem::new(Kind::Conflict, error.to_string())
        }
        TokenError::NotFound { .. } => Problem::new(Kind::NotFound, error.to_string()),
        TokenError::Name(_)
        | TokenError::Create { .. }
        | TokenError::File { .. }
        | TokenError::Layout { .. }
        | TokenError::Damaged { .. }
        | TokenError::ChosenWasRevoked
        | TokenError::Randomness(_) => Problem::internal(error),
    }
}
