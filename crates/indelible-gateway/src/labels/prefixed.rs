//! Provider keys: a known beginning, a tail of a known alphabet and length.
//!
//! Promises: the beginning stands where a word begins, the tail ends where its alphabet ends, and a tail without variety (`xxxx…`)
//! is a placeholder, not a key. Forms are those that the providers publish for secret scanning.

use super::Kind;
use super::pass::View;

/// A beginning, and what must follow.
pub(super) struct Prefix {
    pub(super) literal: &'static [u8],
    pub(super) kind: Kind,
    alphabet: fn(u8) -> bool,
    least: usize,
    most: usize,
}

const fn key(literal: &'static str, kind: Kind, alphabet: fn(u8) -> bool, least: usize, most: usize) -> Prefix {
    Prefix { literal: literal.as_bytes(), kind, alphabet, least, most }
}

fn alnum(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}
fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}
fn hex(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')
}
fn any_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}
fn under(byte: u8) -> bool {
    alnum(byte) || byte == b'_'
}
/// base64url, and the alphabet of most newer tokens.
pub(super) fn word(byte: u8) -> bool {
    under(byte) || byte == b'-'
}
fn dotted(byte: u8) -> bool {
    word(byte) || byte == b'.'
}
/// base64 with its filling.
pub(super) fn base64(byte: u8) -> bool {
    alnum(byte) || matches!(byte, b'+' | b'/' | b'=')
}
fn percent(byte: u8) -> bool {
    base64(byte) || byte == b'%'
}

/// All of them. A longer beginning does not shadow a shorter one: each judges its own tail.
pub(super) const PREFIXES: &[Prefix] = &[
    key("AKIA", Kind::AWS_ACCESS, upper, 16, 16),
    key("ASIA", Kind::AWS_ACCESS, upper, 16, 16),
    key("ABIA", Kind::AWS_ACCESS, upper, 16, 16),
    key("ACCA", Kind::AWS_ACCESS, upper, 16, 16),
    key("AIza", Kind::GCP, word, 35, 35),
    key("ya29.", Kind::GCP, word, 40, 300),
    key("GOCSPX-", Kind::GCP, word, 28, 28),
    key("AccountKey=", Kind::AZURE, base64, 80, 96),
    key("SharedAccessKey=", Kind::AZURE, base64, 40, 64),
    key("&sig=", Kind::AZURE, percent, 43, 70),
    key("ghp_", Kind::GITHUB, alnum, 36, 255),
    key("gho_", Kind::GITHUB, alnum, 36, 255),
    key("ghu_", Kind::GITHUB, alnum, 36, 255),
    key("ghs_", Kind::GITHUB, alnum, 36, 255),
    key("ghr_", Kind::GITHUB, alnum, 36, 255),
    key("github_pat_", Kind::GITHUB, under, 82, 255),
    key("glpat-", Kind::GITLAB, dotted, 20, 300),
    key("gldt-", Kind::GITLAB, word, 20, 100),
    key("glrt-", Kind::GITLAB, dotted, 20, 300),
    key("glptt-", Kind::GITLAB, hex, 40, 40),
    key("glcbt-", Kind::GITLAB, word, 20, 100),
    key("glsoat-", Kind::GITLAB, word, 20, 100),
    key("glagent-", Kind::GITLAB, word, 50, 100),
    key("xoxb-", Kind::SLACK, word, 20, 250),
    key("xoxp-", Kind::SLACK, word, 20, 250),
    key("xoxa-", Kind::SLACK, word, 20, 250),
    key("xoxr-", Kind::SLACK, word, 20, 250),
    key("xoxs-", Kind::SLACK, word, 20, 250),
    key("xoxe.", Kind::SLACK, word, 20, 300),
    key("xoxe-", Kind::SLACK, word, 20, 300),
    key("xapp-", Kind::SLACK, word, 20, 250),
    key("sk_live_", Kind::STRIPE, alnum, 16, 247),
    key("sk_test_", Kind::STRIPE, alnum, 16, 247),
    key("rk_live_", Kind::STRIPE, alnum, 16, 247),
    key("rk_test_", Kind::STRIPE, alnum, 16, 247),
    key("whsec_", Kind::STRIPE, base64, 32, 128),
    key("sk-proj-", Kind::OPENAI, word, 40, 300),
    key("sk-svcacct-", Kind::OPENAI, word, 40, 300),
    key("sk-admin-", Kind::OPENAI, word, 40, 300),
    key("sk-", Kind::OPENAI, alnum, 48, 48),
    key("sk-ant-", Kind::ANTHROPIC, word, 40, 300),
    key("hf_", Kind::HUGGING_FACE, alnum, 34, 40),
    key("api_org_", Kind::HUGGING_FACE, alnum, 34, 34),
    key("npm_", Kind::NPM, alnum, 36, 36),
    key("pypi-AgEI", Kind::PYPI, word, 50, 500),
    key("SG.", Kind::SENDGRID, dotted, 60, 70),
    key("ind_a_", Kind::INDELIBLE, hex, 64, 64),
    key("ind_i_", Kind::INDELIBLE, hex, 64, 64),
    key("ind_r_", Kind::INDELIBLE, hex, 64, 64),
    key("ind_g_", Kind::INDELIBLE, hex, 64, 64),
    key("AGE-SECRET-KEY-1", Kind::PRIVATE_KEY, upper, 50, 70),
    key("gsk_", Kind::PROVIDER, alnum, 48, 60),
    key("xai-", Kind::PROVIDER, alnum, 70, 100),
    key("pplx-", Kind::PROVIDER, alnum, 40, 64),
    key("r8_", Kind::PROVIDER, alnum, 37, 40),
    key("sk-or-v1-", Kind::PROVIDER, hex, 64, 64),
    key("nvapi-", Kind::PROVIDER, word, 60, 80),
    key("tvly-", Kind::PROVIDER, word, 28, 64),
    key("lsv2_pt_", Kind::PROVIDER, under, 40, 60),
    key("pcsk_", Kind::PROVIDER, under, 50, 90),
    key("dop_v1_", Kind::PROVIDER, hex, 64, 64),
    key("doo_v1_", Kind::PROVIDER, hex, 64, 64),
    key("dor_v1_", Kind::PROVIDER, hex, 64, 64),
    key("dapi", Kind::PROVIDER, hex, 32, 32),
    key("shpat_", Kind::PROVIDER, any_hex, 32, 32),
    key("shpca_", Kind::PROVIDER, any_hex, 32, 32),
    key("shppa_", Kind::PROVIDER, any_hex, 32, 32),
    key("shpss_", Kind::PROVIDER, any_hex, 32, 32),
    key("hvs.", Kind::PROVIDER, word, 24, 300),
    key("hvb.", Kind::PROVIDER, word, 100, 300),
    key("lin_api_", Kind::PROVIDER, alnum, 40, 40),
    key("ntn_", Kind::PROVIDER, alnum, 40, 60),
    key("dckr_pat_", Kind::PROVIDER, word, 27, 36),
    key("glsa_", Kind::PROVIDER, under, 32, 60),
    key("glc_", Kind::PROVIDER, base64, 32, 400),
    key("NRAK-", Kind::PROVIDER, upper, 27, 27),
    key("sq0atp-", Kind::PROVIDER, word, 22, 22),
    key("sq0csp-", Kind::PROVIDER, word, 43, 43),
    key("EAAA", Kind::PROVIDER, word, 60, 60),
    key("pscale_tkn_", Kind::PROVIDER, dotted, 32, 64),
    key("pscale_pw_", Kind::PROVIDER, dotted, 32, 64),
    key("sbp_", Kind::PROVIDER, hex, 40, 40),
    key("rubygems_", Kind::PROVIDER, hex, 48, 48),
    key("dp.pt.", Kind::PROVIDER, alnum, 40, 44),
    key("key-", Kind::PROVIDER, hex, 32, 32),
    key("PMAK-", Kind::PROVIDER, word, 59, 59),
    key("sntrys_", Kind::PROVIDER, base64, 60, 400),
    key("ATATT3", Kind::PROVIDER, word, 100, 250),
];

/// Whether a word may begin at a place: what stands before is not part of one.
fn word_begins(view: &View<'_>, at: usize) -> bool {
    !view.before(at).is_some_and(word)
}

/// Whether a stretch is varied enough to be a key rather than a placeholder.
pub(super) fn varied(tail: &[u8]) -> bool {
    let mut seen = [false; 256];
    let mut kinds = 0;
    for byte in tail {
        if let Some(seen @ false) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
            kinds += 1;
        }
    }
    kinds >= (tail.len() / 3).min(8)
}

impl Prefix {
    /// Whether a whole key stands at a place where the beginning does.
    pub(super) fn find(&self, view: &View<'_>, at: usize) -> bool {
        // A beginning with a sign in front of its word (`&sig=`) or a name (`AccountKey=`) may follow anything.
        let free = self.literal.last() == Some(&b'=');
        if !free && !word_begins(view, at) {
            return false;
        }
        let start = at + self.literal.len();
        let end = view.stretch(start, self.most + 1, self.alphabet);
        let length = end - start;
        if view.unsettled(at, end) || length < self.least || length > self.most {
            return false;
        }
        let tail = view.slice(start, end);
        match self.kind {
            Kind::SENDGRID => tail.iter().position(|byte| *byte == b'.') == Some(22) && varied(tail),
            Kind::OPENAI if self.literal == b"sk-" => view.at(end) != Some(b'-') && varied(tail),
            Kind::AZURE if self.literal == b"&sig=" => percent_encoded(tail) && varied(tail),
            // `key-` is Mailgun's, and what any cache key may begin with: only with a letter and a digit.
            Kind::PROVIDER if self.literal == b"key-" => mixed(tail) && varied(tail),
            _ => varied(tail),
        }
    }
}

/// A signature in a query string ends in `=`, written as `%3D`; a hash in hexadecimal does not.
fn percent_encoded(tail: &[u8]) -> bool {
    tail.ends_with(b"%3D") || tail.ends_with(b"=")
}

fn mixed(tail: &[u8]) -> bool {
    tail.iter().any(u8::is_ascii_digit) && tail.iter().any(u8::is_ascii_alphabetic)
}

/// Forty base64 characters shortly after the name of the setting.
pub(super) fn aws_secret(view: &View<'_>, at: usize) -> Option<Kind> {
    let name_end = view.stretch(at, 32, under);
    let start =
        view.stretch(name_end, 12, |byte| matches!(byte, b' ' | b'\t' | b'=' | b':' | b'"' | b'\'' | b'`' | b'>'));
    let end = view.stretch(start, 41, base64);
    let fits = start > name_end && end - start == 40 && !view.unsettled(at, end);
    (fits && varied(view.slice(start, end))).then_some(Kind::AWS_SECRET)
}

/// `SK` and 32 hexadecimal digits.
pub(super) fn twilio(view: &View<'_>, at: usize) -> Option<Kind> {
    let end = view.stretch(at + 2, 33, hex);
    let ends = !view.unsettled(at, end) && !view.at(end).is_some_and(word);
    (word_begins(view, at) && end - at == 34 && ends && varied(view.slice(at + 2, end))).then_some(Kind::TWILIO)
}

/// Three characters, a digit, `Q~`, 31 to 34 more: a client secret. `at` is the digit.
pub(super) fn azure_client(view: &View<'_>, at: usize) -> Option<Kind> {
    let fits = |byte: u8| word(byte) || matches!(byte, b'~' | b'.');
    let start = view.stretch_back(at, 4, fits);
    let end = view.stretch(at + 3, 35, fits);
    let length = end - (at + 3);
    let whole = at - start == 3 && (31..=34).contains(&length) && !view.unsettled(start, end);
    (whole && varied(view.slice(start, end))).then_some(Kind::AZURE)
}

/// `hooks.slack.com/services/T…/B…/…`.
pub(super) fn slack_hook(view: &View<'_>, at: usize) -> Option<Kind> {
    let start = at + "hooks.slack.com/services/".len();
    let end = view.stretch(start, 120, |byte| alnum(byte) || byte == b'/');
    if view.unsettled(at, end) {
        return None;
    }
    let parts: Vec<&[u8]> = view.slice(start, end).split(|byte| *byte == b'/').take(4).collect();
    let [team, channel, secret] = parts.as_slice() else { return None };
    let fits = team.len() >= 8 && channel.starts_with(b"B") && channel.len() >= 8 && secret.len() >= 20;
    (fits && varied(secret)).then_some(Kind::SLACK)
}

/// A bot's number, a colon, `AA` and 33 more: Telegram. `at` is the colon.
pub(super) fn telegram(view: &View<'_>, at: usize) -> Option<Kind> {
    let start = view.stretch_back(at, 11, |byte| byte.is_ascii_digit());
    let end = view.stretch(at + 1, 36, word);
    let whole = (8..=10).contains(&(at - start)) && end - (at + 1) == 35 && !view.unsettled(start, end);
    (whole && varied(view.slice(at + 1, end))).then_some(Kind::PROVIDER)
}
