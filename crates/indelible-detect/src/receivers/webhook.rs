//! The generic webhook: the notice as JSON, signed in the way of Standard Webhooks 1.0 ("Signature scheme": HMAC-SHA256 over
//! `id.timestamp.body`, in base64, after `v1,`).

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::http::Post;
use super::{DeliveryError, ReceiverError, Secret, Template};
use crate::notice::Notice;

/// What keys that are written in base64 begin with.
const KEY_PREFIX: &str = "whsec_";

/// The key to sign with: what follows `whsec_` in base64, any other text as it is.
pub(super) fn signing_key(key: &Secret) -> Result<hmac::Key, ReceiverError> {
    let bytes = match key.reveal().strip_prefix(KEY_PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| ReceiverError::Key)?,
        None => key.reveal().as_bytes().to_vec(),
    };
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// What is posted for a notice.
pub(super) fn post(
    notice: &Notice,
    url: &str,
    key: Option<&Secret>,
    template: Option<&Template>,
) -> Result<Post, DeliveryError> {
    let form = |reason: String| DeliveryError::Form { reason };
    let body = match template {
        Some(template) => template.fill(notice),
        None => serde_json::to_vec(notice).map_err(|error| form(error.to_string()))?,
    };
    // the key is the same at each attempt, so a receiver that has it already drops it; the time is that of the attempt
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let signature = match key {
        None => None,
        Some(key) => {
            let key = signing_key(key).map_err(|error| form(error.to_string()))?;
            Some(signature(&key, &notice.key, seconds, &body))
        }
    };
    let post = Post::bytes(url, body)
        .header("webhook-id", notice.key.clone())
        .header("webhook-timestamp", seconds.to_string());
    Ok(post.maybe_header("webhook-signature", signature))
}

fn signature(key: &hmac::Key, id: &str, seconds: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{id}.{seconds}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        // Standard Webhooks, reference test: secret, id, timestamp and payload of its libraries
        let key = signing_key(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_promises_base64_must_be_it() {
        assert!(matches!(signing_key(&Secret::new("whsec_???")), Err(ReceiverError::Key)));
        assert!(signing_key(&Secret::new("any text")).is_ok());
    }
}
