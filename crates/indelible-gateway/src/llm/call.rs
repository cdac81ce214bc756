//! One call whose answer has begun: what is seen of the answer as it passes, and the outcome that is made of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use indelible_event::vault::VaultError;
use indelible_event::words::OutcomeResult;

use super::Inner;
use super::answer::{AnswerReader, Said};
use super::operation::Operation;
use super::settings::Price;
use super::upload::Upload;
use crate::content::Content;
use crate::draft::{Draft, Resource, Text};
use crate::exchange::{Exchange, Finish};
use crate::refusal::Refusal;
use crate::route::ContentKind;

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Upstream ended it.
    Complete,
    /// Upstream broke off.
    Cut,
    /// Upstream sent nothing for too long.
    Silent,
    /// The client went away.
    ClientGone,
    /// It could not be sealed any more.
    NotSealed,
}

/// A call whose answer has begun.
#[derive(Debug)]
pub(super) struct Call {
    gateway: Arc<Inner>,
    exchange: Exchange,
    outcome: Draft,
    answer: Content,
    reader: AnswerReader,
    upload: Option<Upload>,
    operation: Operation,
    status: StatusCode,
    media_type: Text,
    sent: Instant,
    first_byte: Option<Duration>,
    first_token: Option<Duration>,
}

/// What a call is made of when its answer begins.
pub(super) struct Begun {
    pub(super) gateway: Arc<Inner>,
    pub(super) exchange: Exchange,
    pub(super) outcome: Draft,
    pub(super) upload: Option<Upload>,
    pub(super) operation: Operation,
    pub(super) sent: Instant,
}

impl Call {
    /// The answer's head has come.
    ///
    /// # Errors
    /// When the answer cannot be sealed; the outcome is being recorded then.
    pub(super) fn new(mut begun: Begun, status: StatusCode, headers: &HeaderMap) -> Result<Self, VaultError> {
        let Begun { gateway, exchange, .. } = &begun;
        let answer = match exchange.caller() {
            Some(caller) => Content::begin(&gateway.s, &gateway.route, caller, begun.outcome.id, ContentKind::Answer),
            None => Err(VaultError::Stopped { reason: "the exchange is over".to_owned() }),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let (code, reason) = ("not_sealed", "the answer could not be sealed, so it was not passed on");
                drop(begun.exchange.finish(begun.outcome, OutcomeResult::Failed, code, reason));
                return Err(error);
            }
        };
        let first_byte = begun.sent.elapsed();
        let outcome = &mut begun.outcome;
        outcome.attribute("http.response.status_code", u64::from(status.as_u16()));
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if !status.is_success() {
            outcome.attribute_if("http.response.header.retry-after", header(RETRY_AFTER));
            outcome.attribute_if("http.response.header.location", header(LOCATION).map(without_query));
        }
        outcome.attribute_if(
            "http.response.header.x-request-id",
            headers
                .get("x-request-id")
                .or_else(|| headers.get("request-id"))
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        );
        let media_type = header(CONTENT_TYPE).map(Text::from).unwrap_or_default();
        let reader = AnswerReader::new(headers, begun.operation.last, begun.gateway.s.labels.begin());
        let Begun { gateway, exchange, outcome, upload, operation, sent } = begun;
        Ok(Self {
            gateway,
            exchange,
            outcome,
            answer,
            reader,
            upload,
            operation,
            status,
            media_type,
            sent,
            first_byte: Some(first_byte),
            first_token: None,
        })
    }

    pub(super) fn gateway(&self) -> &Arc<Inner> {
        &self.gateway
    }

    /// Whether the answer is a stream of events.
    pub(super) fn is_events(&self) -> bool {
        self.reader.is_events()
    }

    /// Sees the next bytes of the answer. Gives the place in them from which on they are to be held.
    ///
    /// # Errors
    /// When they cannot be sealed: they must not be passed on then.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, VaultError> {
        self.answer.write(bytes)?;
        let held_from = self.reader.feed(bytes);
        if self.first_token.is_none() && self.reader.said().spoke {
            self.first_token = Some(self.sent.elapsed());
        }
        Ok(held_from)
    }

    /// Ends the call. The finish is to be awaited before the end of the answer is passed on; an error with it means that it never is.
    pub(super) fn conclude(self, how: &How) -> (Finish, Option<Refusal>) {
        let Self { gateway, mut exchange, mut outcome, answer, reader, upload, operation, .. } = self;
        let (mut result, mut reason) = ending(how, self.status, &reader);
        let mut code = Text::from(self.status.as_str().to_owned());
        outcome.attribute("http.response.body.size", answer.bytes());
        for (name, time) in [
            ("indelible.time_to_first_byte_ns", self.first_byte),
            ("gen_ai.server.time_to_first_token_ns", self.first_token.filter(|_| reader.is_events())),
        ] {
            outcome.attribute_if(name, time.map(nanos));
        }
        let (said, labels) = reader.finish(&mut outcome);
        describe(&mut outcome, &operation, &said, &labels);
        let (cached, input, output) = said.tokens();
        exchange.spend(input.saturating_add(output), cost(&gateway.prices, &outcome, cached, input, output));
        let mut sealed = answer.finish(&mut outcome, self.media_type);
        if let Some(upload) = upload {
            sealed = sealed.and(upload.finish(&mut outcome));
        }
        let refusal = sealed.err().map(Refusal::NotSealed);
        if refusal.is_some() || *how == How::NotSealed {
            result = OutcomeResult::Failed;
            code = "not_sealed".into();
            reason = "the answer could not be sealed, so its end was not passed on".into();
        }
        (exchange.finish(outcome, result, code, reason), refusal)
    }
}

/// Result and reason, by how the answer ended and what it was.
fn ending(how: &How, status: StatusCode, reader: &AnswerReader) -> (OutcomeResult, Text) {
    let failed = |reason: &'static str| (OutcomeResult::Failed, Text::from(reason));
    match how {
        How::Cut => failed("upstream cut the answer off"),
        How::Silent => failed("upstream sent nothing for too long"),
        How::ClientGone => failed("client went away"),
        How::NotSealed => failed("the answer could not be sealed"),
        How::Complete if status.is_redirection() => {
            (OutcomeResult::Allowed, "upstream redirected; not followed".into())
        }
        How::Complete if !status.is_success() => {
            let error = &reader.said().error;
            let what = if error.is_empty() { String::new() } else { format!(": {error}") };
            (OutcomeResult::Failed, format!("upstream answered {}{what}", status.as_u16()).into())
        }
        How::Complete if !reader.said().error.is_empty() && reader.is_events() => {
            (OutcomeResult::Failed, format!("upstream failed within the stream: {}", reader.said().error).into())
        }
        How::Complete if reader.lacks_end() && reader.said().malformed > 0 => {
            failed("upstream sent a malformed event stream and ended it without its last event")
        }
        How::Complete if reader.lacks_end() => failed("upstream ended the stream without its last event"),
        How::Complete if reader.said().malformed > 0 => {
            (OutcomeResult::Allowed, "some of the answer's events were malformed".into())
        }
        How::Complete if reader.unreadable().is_some() => {
            (OutcomeResult::Allowed, "the answer's coding could not be read".into())
        }
        How::Complete => (OutcomeResult::Allowed, Text::default()),
    }
}

/// What the answer says about what was touched.
fn describe(outcome: &mut Draft, operation: &Operation, said: &Said, labels: &[&'static str]) {
    if outcome.resources.is_empty() {
        outcome.resources.push(Resource::new(operation.resource, operation.id.clone()));
    }
    if let Some(resource) = outcome.resources.first_mut() {
        for label in labels {
            if !resource.labels.iter().any(|known| known == label) {
                resource.labels.push(Text::from(*label));
            }
        }
        // A file or batch that was just made has its id from the answer.
        if resource.id.is_empty() && resource.kind != "model" {
            resource.id = said.id().to_owned().into();
        }
    }
    if !labels.is_empty() {
        let labels: Vec<Text> = labels.iter().map(|label| Text::from(*label)).collect();
        outcome.attribute("indelible.answer_labels", labels);
    }
}

/// What the tokens cost by the first price that fits, in millionths.
fn cost(prices: &[Price], outcome: &Draft, cached: u64, input: u64, output: u64) -> u64 {
    let names = [outcome.ai.response_model.as_ref(), outcome.ai.request_model.as_ref()];
    let fits = |price: &&Price| {
        names.iter().any(|name| match price.model.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => *name == price.model,
        })
    };
    let Some(price) = prices.iter().find(fits) else { return 0 };
    let cached = cached.min(input);
    let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
    let millionths = part(input - cached, price.input)
        + part(cached, price.cached_input.unwrap_or(price.input))
        + part(output, price.output);
    u64::try_from(millionths / 1_000_000).unwrap_or(u64::MAX)
}

/// A redirect's query may hold a signature that lets anyone in.
fn without_query(mut location: String) -> String {
    location.truncate(location.find(['?', '#']).unwrap_or(location.len()));
    location
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use indelible_event::id::EventId;
    use indelible_event::words::Action;

    use super::*;

    #[test]
    fn the_first_price_that_fits_counts() {
        let price = |model: &str, input| Price { model: model.to_owned(), input, cached_input: Some(1), output: 10 };
        let prices = [price("gpt-5-mini", 2), price("gpt-5*", 4)];
        let mut outcome = Draft::new(EventId([1; 16]), Action::Infer, "x");
        outcome.ai.request_model = "gpt-5-mini".into();
        assert_eq!(cost(&prices, &outcome, 500_000, 1_500_000, 1_000_000), 2 + 10);
        outcome.ai.request_model = "gpt-5.1".into();
        assert_eq!(cost(&prices, &outcome, 0, 1_000_000, 0), 4);
        outcome.ai.request_model = "other".into();
        assert_eq!(cost(&prices, &outcome, 0, 1_000_000, 0), 0);
    }
}
