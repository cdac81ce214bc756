//! Signing in with an OpenID provider: out to it, and back. What a sign-in under way needs is kept here, under a key that only its
//! browser has, in a cookie that is good for one return within ten minutes.
//!
//! Never: a token of the provider's in a page, in the cookie, or in a log line.

use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use indelible_access::oidc::{Callback, OidcError, PENDING_SECONDS, Pending, PendingBook, Provider, SignedIn};
use indelible_access::session::SignedInBy;
use indelible_event::env::Randomness;
use tokio::sync::Semaphore;

use super::sign_in::{again, signed_in, within};
use super::sign_in_fetch::Http;
use super::{cookies, see_other};
use crate::call::{Answer, Call};
use crate::config::{Config, SignInConfigError};
use crate::problem::{Kind, Problem};
use crate::query_string::Parameters;
use crate::telemetry::chain;
use crate::trail::Mark;

/// The key of a sign-in under way.
const COOKIE: &str = "indelible_oidc";
/// Questions to the provider at once; each holds a thread.
const AT_ONCE: usize = 8;
/// Longest address that somebody is brought back to.
const NEXT_BYTES_MAX: usize = 2_048;
/// What of a return matters; a provider may say more, which is passed over (RFC 6749 §4.1.2).
const RETURNED: &[&str] = &["code", "state", "iss", "error"];

/// The provider cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] SignInConfigError),
    /// The file with authorities holds none.
    #[error("`sign_in.oidc.ca_file` holds no certificate in PEM")]
    Authorities,
}

/// The provider that people may sign in with, and who is on the way.
#[derive(Debug)]
pub(crate) struct OpenId {
    provider: Arc<Provider>,
    pending: PendingBook,
    at_once: Semaphore,
}

impl OpenId {
    /// What the settings say; `None` without a provider. Nothing is asked of it.
    pub(crate) fn new(config: &Config, randomness: &Arc<dyn Randomness>) -> Result<Option<Self>, OpenIdError> {
        let Some(settings) = config.oidc()? else { return Ok(None) };
        let authorities = config.sign_in.oidc.authorities()?;
        let http = Http::new(authorities.as_deref()).ok_or(OpenIdError::Authorities)?;
        Ok(Some(Self {
            provider: Arc::new(Provider::new(settings, Box::new(http), Arc::clone(randomness))),
            pending: PendingBook::new(Arc::clone(randomness)),
            at_once: Semaphore::new(AT_ONCE),
        }))
    }

    /// Asks the provider where that may block.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Provider) -> Result<T, OidcError> + Send + 'static,
    ) -> Result<Result<T, OidcError>, Problem> {
        let _turn = self.at_once.try_acquire().map_err(|_| Problem::new(Kind::Busy, "many people are signing in"))?;
        let provider = Arc::clone(&self.provider);
        tokio::task::spawn_blocking(move || ask(&provider)).await.map_err(Problem::internal)
    }
}

fn open_id(call: &Call) -> Result<&OpenId, Problem> {
    call.app.open_id.as_ref().ok_or_else(|| Problem::new(Kind::NotFound, "no provider is set up to sign in with"))
}

/// Sends the browser to the provider.
pub(super) async fn begin(call: &Call) -> Result<Answer, Problem> {
    let open_id = open_id(call)?;
    let parameters = call.parameters(&["next"])?;
    let next = within(parameters.get("next").filter(|next| next.len() <= NEXT_BYTES_MAX)).to_owned();
    let now = call.app.environment.now_seconds();
    let wanted = next.clone();
    let begun = match open_id.ask(move |provider| provider.begin(&wanted, now)).await? {
        Ok(begun) => begun,
        Err(error) => return refused(call, &next, &error).await,
    };
    let key = open_id.pending.put(begun.pending, now).map_err(Problem::internal)?;
    let mut response = see_other(&begun.location);
    if let Some(cookie) = cookie(&key, PENDING_SECONDS, call.app.config.tls()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(Answer::new(response, Mark::not_needed("sends somebody to the provider; says nothing of a log")))
}

/// The browser is back.
pub(super) async fn finish(call: &Call) -> Result<Answer, Problem> {
    let open_id = open_id(call)?;
    let parameters = returned(call)?;
    let now = call.app.environment.now_seconds();
    let key = cookies::get(&call.parts.headers, COOKIE);
    let Some(pending) = key.and_then(|key| open_id.pending.take(key, now)) else {
        let wrong =
            "This sign-in was begun in another browser, was used already, or took more than ten minutes. Begin again.";
        return again(call, "/", wrong).await;
    };
    let next = pending.next.clone();
    let asked = open_id.ask(move |provider| finished(provider, &pending, &parameters, now)).await?;
    let mut answer = match asked {
        Ok(somebody) => {
            let identity = Arc::new(somebody.identity());
            signed_in(call, &identity, SignedInBy::Provider(Arc::clone(&identity)), "oidc", &next).await?
        }
        Err(error) => refused(call, &next, &error).await?,
    };
    if let Some(gone) = cookie("", 0, call.app.config.tls()) {
        answer.response.headers_mut().append(SET_COOKIE, gone);
    }
    Ok(answer)
}

fn finished(provider: &Provider, pending: &Pending, returned: &Parameters, now: i64) -> Result<SignedIn, OidcError> {
    let callback = Callback {
        code: returned.get("code"),
        state: returned.get("state"),
        iss: returned.get("iss"),
        error: returned.get("error"),
    };
    provider.finish(pending, &callback, now)
}

/// Of what came back, what matters.
fn returned(call: &Call) -> Result<Parameters, Problem> {
    let query = call.parts.uri.query().unwrap_or_default();
    let of_ours = |pair: &&str| RETURNED.contains(&pair.split('=').next().unwrap_or_default());
    let ours: Vec<&str> = query.split('&').filter(of_ours).collect();
    Parameters::read(Some(&ours.join("&")), RETURNED)
}

/// Tells why not, to the person and to the operator, and counts the refusal.
async fn refused(call: &Call, next: &str, error: &OidcError) -> Result<Answer, Problem> {
    let why = chain(error);
    tracing::warn!(request_id = call.id.as_str(), why, "a sign-in with the provider was refused");
    again(call, next, &format!("You are not signed in: {why}.")).await
}

/// `SameSite=Lax`, because the provider sends the browser back; nothing but these two routes sees it.
fn cookie(key: &str, seconds: i64, tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let text = format!("{COOKIE}={key}; Path=/sign-in; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).ok()
}
