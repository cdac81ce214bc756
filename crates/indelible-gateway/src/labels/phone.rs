//! Telephone numbers: E.164 with a country that exists, national numbers in the forms people write, anything plausible right after a
//! word such as "phone".
//!
//! Never: takes a bare run of digits for one; order numbers and ids look the same.

use super::numbers::Span;

/// Words after which digits are a telephone number.
const NAMES: &[&str] = &[
    "phone",
    "telephone",
    "phone_number",
    "phonenumber",
    "tel",
    "mobile",
    "cell",
    "cellphone",
    "fax",
    "whatsapp",
    "call",
    "ring",
    "sms",
    "handy",
    "telefon",
    "telefono",
    "tel\u{e9}fono",
    "m\u{f3}vil",
    "movil",
    "t\u{e9}l\u{e9}phone",
    "t\u{e9}l",
    "portable",
    "telefoon",
    "mobil",
    "celular",
    "telefone",
    "\u{7535}\u{8bdd}",
    "\u{624b}\u{673a}",
];

/// Countries by their code (ITU-T E.164, the list of assigned codes): all of one and two digits, and the first two of three.
const ONE: &[u64] = &[1, 7];
const TWO: &[u64] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62,
    63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];
const THREE_BEGIN: &[u64] = &[21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 85, 88, 96, 97, 99];

/// Whether a span is a telephone number.
pub(super) fn is(span: &Span<'_>) -> bool {
    let flat = span.digits.windows(2).all(|pair| pair.first() == pair.last());
    if flat || date(span) || span.separators.contains(&b'/') && span.shape.len() > 2 {
        return false;
    }
    if span.plus {
        return international(span.digits, 9);
    }
    let dialled = span.number(0, 2) == 0 && span.digits.first() == Some(&0);
    if dialled && span.alone && span.separators.len() > 1 && international(span.digits.get(2..).unwrap_or_default(), 10)
    {
        return true;
    }
    (span.alone && (north_american(span) || trunk(span) || iberian(span) || brazilian(span))) || after_name(span)
}

/// `2024-11-05`, `05.11.2024` and what follows them.
fn date(span: &Span<'_>) -> bool {
    let dated = matches!(span.shape, [4, 1..=2, 1..=2, ..]) && matches!(span.number(0, 4), 1900..=2099);
    let european = matches!(span.shape, [1..=2, 1..=2, 4]) && matches!(span.digits.len(), 6..=8);
    dated || european
}

/// A country code and so many digits in all, 15 at most.
fn international(digits: &[u8], least: usize) -> bool {
    let number = |count: usize| digits.iter().take(count).fold(0, |sum, digit| sum * 10 + u64::from(*digit));
    if !(least..=15).contains(&digits.len()) {
        return false;
    }
    if number(1) == 1 {
        return digits.len() == 11 && exchange(digits.get(1..).unwrap_or_default());
    }
    ONE.contains(&number(1)) && digits.len() == 11 || TWO.contains(&number(2)) || THREE_BEGIN.contains(&number(2))
}

/// The North American plan: area and exchange begin with 2 to 9, and neither is a service code (911).
fn exchange(digits: &[u8]) -> bool {
    let begins = |at: usize| digits.get(at).is_some_and(|digit| *digit >= 2);
    let service = |at: usize| digits.get(at + 1) == Some(&1) && digits.get(at + 2) == Some(&1);
    digits.len() == 10 && begins(0) && begins(3) && !service(0) && !service(3)
}

fn north_american(span: &Span<'_>) -> bool {
    match span.shape {
        [3, 3, 4] => {
            let uniform = span.uniform() && matches!(span.separators.first(), Some(b'-' | b'.' | b' '));
            let bracketed = span.bracket && matches!(span.separators, [b')', b'-' | b' ' | b'.']);
            (uniform || bracketed) && exchange(span.digits)
        }
        [1, 3, 3, 4] => span.digits.first() == Some(&1) && exchange(span.digits.get(1..).unwrap_or_default()),
        _ => false,
    }
}

/// A trunk zero and the groups in which Europe, Japan, Australia and others write.
fn trunk(span: &Span<'_>) -> bool {
    if span.digits.first() != Some(&0) || span.digits.get(1) == Some(&0) || !matches!(span.digits.len(), 9..=12) {
        return false;
    }
    let dots = span.separators.contains(&b'.');
    match span.shape {
        [2, 2, 2, 2, 2] => span.uniform(),
        _ if dots => false,
        [3, 4, 4]
        | [4, 3, 4]
        | [4, 3, 3]
        | [5, 3, 3]
        | [5, 6]
        | [4, 6]
        | [3, 3, 4]
        | [2, 4, 4]
        | [3, 7 | 8]
        | [2, 8]
        | [4, 7 | 8]
        | [5, 5]
        | [3, 2 | 3, 2, 2]
        | [4, 2, 2, 2]
        | [4, 3, 2, 2]
        | [3, 3, 2, 3]
        | [4, 2, 3, 2]
        | [5, 4]
        | [2, 3, 4]
        | [2, 3, 2, 2]
        | [3, 4, 3]
        | [4, 4, 4] => true,
        _ => false,
    }
}

/// Spain: nine digits in three or four groups, beginning with 6, 7, 8 or 9.
fn iberian(span: &Span<'_>) -> bool {
    let begins = matches!(span.digits.first(), Some(6..=9));
    begins && span.uniform() && span.separators.first() == Some(&b' ') && matches!(span.shape, [3, 2, 2, 2])
}

/// Brazil: `(11) 91234-5678`.
fn brazilian(span: &Span<'_>) -> bool {
    span.bracket && matches!(span.shape, [2, 4 | 5, 4]) && span.separators.first() == Some(&b')')
}

/// Seven to fifteen digits in at most six groups right after a word that says so.
fn after_name(span: &Span<'_>) -> bool {
    let length = span.digits.len();
    (7..=15).contains(&length) && span.shape.len() <= 6 && span.named(NAMES)
}
