//! The gateway for model APIs: a reverse proxy that an application reaches by changing its base URL and nothing else.
//!
//! Promises: a call goes to upstream only after its intent is durable; what upstream sends reaches the client as it comes, byte for
//! byte, the last of it only after the outcome is durable; each call ends in exactly one outcome event, whatever happens. Never:
//! follows a redirect, retries a call, forwards the Indelible token, writes a credential anywhere.
//!
//! Reading order: settings, what a request asks for, the way of one call (`forward`), then what reads beside the bytes.

pub mod settings;

mod operation;

mod forward;
mod headers;
mod refused;
mod upstream;

mod call;
mod intake;
mod stream;
mod upload;

mod answer;
pub mod decode;
mod request;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use self::intake::Room;
use self::settings::{Format, GatewayError, LlmSettings, Price, Secret, Timeouts};
use self::upstream::Upstream;
use crate::body::ResponseBody;
use crate::caller::Caller;
use crate::exchange;
use crate::headers::Credential;
use crate::refusal::Refusal;
use crate::route::{Route, is_below};
use crate::surroundings::Surroundings;

/// A gateway for one model API. Cheap to clone.
#[derive(Clone)]
pub struct LlmGateway(Arc<Inner>);

struct Inner {
    s: Arc<Surroundings>,
    route: Arc<Route>,
    mount: String,
    format: Format,
    provider: String,
    credential: Option<Credential>,
    salt: Secret,
    prices: Vec<Price>,
    timeouts: Timeouts,
    request_bytes_max: usize,
    room: Room,
    upstream: Upstream,
}

impl LlmGateway {
    /// A gateway by its settings.
    ///
    /// # Errors
    /// [`GatewayError`] names the setting that cannot be used.
    pub fn new(settings: LlmSettings, surroundings: Arc<Surroundings>) -> Result<Self, GatewayError> {
        let upstream = Upstream::new(&settings)?;
        let wrong = |setting, reason: &str| GatewayError::setting(&settings.name, setting, reason);
        if settings.name.is_empty() || settings.name.len() > 256 {
            return Err(wrong("name", "it must have 1 to 256 bytes"));
        }
        let mount = settings.mount.trim_end_matches('/').to_owned();
        if !mount.starts_with('/') {
            return Err(wrong("mount", "it must be a path such as /llm/openai"));
        }
        let credential = match &settings.credential {
            None => None,
            Some(secret) => {
                let credential = headers::credential(settings.format, settings.credential_header.as_deref(), secret);
                Some(credential.ok_or_else(|| wrong("credential", "it cannot stand in a header"))?)
            }
        };
        let provider = match (settings.provider.is_empty(), settings.format) {
            (false, _) => settings.provider,
            (true, Format::OpenAi) => "openai".to_owned(),
            (true, Format::Anthropic) => "anthropic".to_owned(),
            (true, Format::Passthrough) => String::new(),
        };
        Ok(Self(Arc::new(Inner {
            s: surroundings,
            route: Arc::new(Route::new(&settings.name, settings.capture, settings.on_log_failure)),
            mount,
            format: settings.format,
            provider,
            credential,
            salt: settings.salt,
            prices: settings.prices,
            timeouts: settings.timeouts,
            request_bytes_max: settings.request_bytes_max,
            room: Room::new(intake::ROOM_BYTES),
            upstream,
        })))
    }

    /// Where it is mounted, without a slash at the end.
    #[must_use]
    pub fn mount(&self) -> &str {
        &self.0.mount
    }

    /// Whether a path is one of this gateway's.
    #[must_use]
    pub fn owns(&self, path: &str) -> bool {
        is_below(self.mount(), path)
    }

    /// Its route.
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.0.route
    }

    /// Records how the gateway is set up. To be called at start.
    ///
    /// # Errors
    /// [`Refusal`] when the log does not take it.
    pub async fn announce(&self) -> Result<(), Refusal> {
        exchange::announce(&self.0.s, &self.0.route, self.0.upstream.host()).await
    }

    /// Takes one request below the mount, by a caller whom the server has authenticated.
    pub async fn handle<B>(&self, request: Request<B>, caller: Caller) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let request_id = caller.request.clone();
        match forward::forward(&self.0, request, caller).await {
            Ok(response) => response,
            Err(refusal) => refused::refuse(&refusal, self.0.format, &request_id),
        }
    }

    /// A refusal of the server's own (no token, a wrong one) in the form of the API that is spoken here.
    #[must_use]
    pub fn refuse(&self, refusal: &Refusal, request: &str) -> Response<ResponseBody> {
        refused::refuse(refusal, self.0.format, request)
    }
}

impl fmt::Debug for LlmGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmGateway").field("route", &self.route).field("mount", &self.mount).finish_non_exhaustive()
    }
}
