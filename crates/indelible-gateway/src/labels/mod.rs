//! What content is about: labels such as `pii.email`, `secret.jwt` and `injection.encoded`, found before the content is sealed.
//!
//! Promises: one pass over the bytes, memory bounded by one window (8 KiB) however long the stream; a match that lies across two
//! chunks is found; a label is one of the closed list below. Never: keeps, prints or returns the text that matched – what leaves
//! is a label, and nothing here has a `Debug` that shows content.
//!
//! Feed decoded text where the gateway has it (the strings of a parsed body, the text of stream deltas put one after the other).
//! Raw JSON works as well: escapes (`\n`, `\/`, `\u0040`, at any depth of nesting) are undone on the way in. What it cannot see in
//! raw bytes is a value that a stream cuts into several JSON strings.

mod card;
mod email;
mod encoded;
mod fold;
mod hidden;
mod iban;
mod jwt;
mod key_block;
mod mixed;
mod national;
mod numbers;
mod pass;
mod phone;
mod phrases;
mod prefixed;
mod unescape;
mod url;
mod window;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use pass::Pass;
use phrases::Dictionary;
pub use window::Scan;

/// What content is about, as it stands on an event's resource.
pub type Label = &'static str;

/// The closed list, in the order `scan` answers in: label, what it stands for.
pub const LABELS: &[(Label, &str)] = &[
    ("pii.email", "an e-mail address"),
    ("pii.phone", "a telephone number: international, or national in a written form"),
    ("pii.card", "a payment card number (issuer prefix, length, Luhn)"),
    ("pii.iban", "a bank account number (country length, mod 97)"),
    ("pii.national-id", "a person's number: US, GB, DE, FR, ES, IT, NL, BE, CH, PL, SE, IN, BR, CA, CN, SG"),
    ("secret.aws-access-key", "an AWS access key id"),
    ("secret.aws-secret-key", "an AWS secret access key beside its name"),
    ("secret.gcp-key", "a Google API key, OAuth token or client secret"),
    ("secret.azure-key", "an Azure storage, service bus or client secret"),
    ("secret.github-token", "a GitHub token"),
    ("secret.gitlab-token", "a GitLab token"),
    ("secret.slack-token", "a Slack token or webhook"),
    ("secret.stripe-key", "a Stripe secret, restricted or webhook key"),
    ("secret.openai-key", "an OpenAI key"),
    ("secret.anthropic-key", "an Anthropic key"),
    ("secret.huggingface-token", "a Hugging Face token"),
    ("secret.npm-token", "an npm token"),
    ("secret.pypi-token", "a PyPI token"),
    ("secret.sendgrid-key", "a SendGrid key"),
    ("secret.twilio-key", "a Twilio API key"),
    ("secret.indelible-token", "a token of this product"),
    ("secret.provider-key", "a key of another provider whose form is known"),
    ("secret.private-key", "a private key (PEM, OpenSSH, PGP, PuTTY, age)"),
    ("secret.jwt", "a JSON web token"),
    ("secret.connection-string", "a URL or connection string with a password"),
    ("injection.instruction-override", "words that tell a model to set its instructions aside"),
    ("injection.role-play", "words of a jailbreak: a model is to play one without rules"),
    (
        "injection.exfiltration",
        "words that tell a model to give its instructions away, or to send out what it was told",
    ),
    ("injection.hidden-text", "text that people do not see: tag characters, runs without width, turned direction"),
    ("injection.encoded", "such words in base64, hexadecimal digits or ROT13"),
];

/// A place in [`LABELS`]; the compiler checks that the names below fit the list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u8);

/// The kinds by name.
impl Kind {
    pub(super) const EMAIL: Self = Self::named("pii.email");
    pub(super) const PHONE: Self = Self::named("pii.phone");
    pub(super) const CARD: Self = Self::named("pii.card");
    pub(super) const IBAN: Self = Self::named("pii.iban");
    pub(super) const NATIONAL: Self = Self::named("pii.national-id");
    pub(super) const AWS_ACCESS: Self = Self::named("secret.aws-access-key");
    pub(super) const AWS_SECRET: Self = Self::named("secret.aws-secret-key");
    pub(super) const GCP: Self = Self::named("secret.gcp-key");
    pub(super) const AZURE: Self = Self::named("secret.azure-key");
    pub(super) const GITHUB: Self = Self::named("secret.github-token");
    pub(super) const GITLAB: Self = Self::named("secret.gitlab-token");
    pub(super) const SLACK: Self = Self::named("secret.slack-token");
    pub(super) const STRIPE: Self = Self::named("secret.stripe-key");
    pub(super) const OPENAI: Self = Self::named("secret.openai-key");
    pub(super) const ANTHROPIC: Self = Self::named("secret.anthropic-key");
    pub(super) const HUGGING_FACE: Self = Self::named("secret.huggingface-token");
    pub(super) const NPM: Self = Self::named("secret.npm-token");
    pub(super) const PYPI: Self = Self::named("secret.pypi-token");
    pub(super) const SENDGRID: Self = Self::named("secret.sendgrid-key");
    pub(super) const TWILIO: Self = Self::named("secret.twilio-key");
    pub(super) const INDELIBLE: Self = Self::named("secret.indelible-token");
    pub(super) const PROVIDER: Self = Self::named("secret.provider-key");
    pub(super) const PRIVATE_KEY: Self = Self::named("secret.private-key");
    pub(super) const JWT: Self = Self::named("secret.jwt");
    pub(super) const CONNECTION: Self = Self::named("secret.connection-string");
    pub(super) const INSTRUCTION_OVERRIDE: Self = Self::named("injection.instruction-override");
    pub(super) const ROLE_PLAY: Self = Self::named("injection.role-play");
    pub(super) const EXFILTRATION: Self = Self::named("injection.exfiltration");
    pub(super) const HIDDEN_TEXT: Self = Self::named("injection.hidden-text");
    pub(super) const ENCODED: Self = Self::named("injection.encoded");

    /// The place of a label; a label that is not in the list does not compile.
    const fn named(label: &str) -> Self {
        let mut at = 0;
        let mut place = 0;
        while at < LABELS.len() {
            if same(LABELS[at].0.as_bytes(), label.as_bytes()) {
                return Self(place);
            }
            at += 1;
            place += 1;
        }
        #[allow(clippy::panic, reason = "runs while compiling only")]
        {
            panic!("a label that is not in the list")
        }
    }
}

const _: () = assert!(LABELS.len() <= 64, "a set of labels is 64 bits");

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Labels found so far, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found(u64);

impl Found {
    pub(super) fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind.0;
    }

    pub(super) fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind.0) != 0
    }

    fn labels(self) -> Vec<Label> {
        LABELS.iter().enumerate().filter(|(at, _)| self.0 & (1 << at) != 0).map(|(_, (label, _))| *label).collect()
    }
}

/// Finds what content is about. Cheap to clone and to share.
#[derive(Clone)]
pub struct Scanner {
    pass: Arc<Pass>,
    words: Arc<Dictionary>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").finish_non_exhaustive()
    }
}

impl Scanner {
    /// A scanner with all rules.
    #[must_use]
    pub fn new() -> Self {
        Self { pass: Arc::new(Pass::new()), words: Arc::new(Dictionary::new()) }
    }

    /// The labels of a text, in the list's order, each once.
    #[must_use]
    pub fn scan(&self, text: &str) -> Vec<Label> {
        let mut scan = self.begin();
        scan.feed(text.as_bytes());
        scan.finish()
    }

    /// A scan to be fed piece by piece; it keeps one window, never the whole.
    #[must_use]
    pub fn begin(&self) -> Scan {
        Scan::new(Arc::clone(&self.pass), Arc::clone(&self.words))
    }
}
