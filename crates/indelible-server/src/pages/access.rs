//! `GET /access`: who may: tokens, what each role allows, what is halted, which policies are in force. Read-only: changes are made by
//! command or API.

use std::sync::Arc;

use askama::Template;
use indelible_access::halt::Halt;
use indelible_access::{Action, Role, TokenRow};

use super::html;
use super::shell::Shell;
use crate::api::{blocking, count};
use crate::call::{Answer, Call};
use crate::config::OidcConfig;
use crate::problem::Problem;
use crate::serve::policy_words;

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    shell: Shell,
    tokens: Vec<TokenRow>,
    halts: Vec<Halt>,
    policy: String,
    now: i64,
    /// Where people sign in, and which of their groups has which role.
    provider: Option<OidcConfig>,
}

/// Shows who may.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    call.parameters(&["log"])?;
    let app = Arc::clone(&call.app);
    let tokens = blocking(move || app.tokens.list()).await?.map_err(Problem::internal)?;
    let event = call.event().attribute("tokens", count(tokens.len() as u64));
    let mark = call.record(call.app.logs.first(), event).await?;
    let page = AccessPage {
        shell: Shell::of(call, "Access", call.app.logs.first()),
        tokens,
        halts: call.app.door.halts().list(),
        policy: policy_words(&call.app),
        now: call.app.environment.now_seconds(),
        provider: Some(&call.app.config.sign_in.oidc).filter(|oidc| oidc.issuer.is_some()).cloned(),
    };
    html::answer(call, &page, mark)
}

/// How a token stands, in a word.
fn state(row: &TokenRow, now: i64) -> &'static str {
    match row.revoked {
        Some(_) => "revoked",
        None if row.is_live(now) => "live",
        None => "expired",
    }
}

/// Seconds since the epoch in nanoseconds.
fn instant(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000)
}

/// Whether it ever opened anything.
fn has_been_used(row: &TokenRow) -> bool {
    row.used > 0
}
