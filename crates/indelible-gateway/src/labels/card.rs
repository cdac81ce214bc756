//! Payment cards: issuer prefix and length, the groups they are printed in, Luhn.

use super::numbers::Span;

/// Whether a span is a card number.
pub(super) fn is(span: &Span<'_>) -> bool {
    let grouped = matches!(
        span.shape,
        [13..=19] | [4, 4, 4, 4] | [4, 4, 4, 4, 3] | [4, 6, 5] | [4, 6, 4] | [4, 4, 4, 1] | [6, 13]
    );
    let signs = span.separators.iter().all(|sign| matches!(sign, b' ' | b'-'));
    if !grouped || !signs || !span.uniform() || span.plus {
        return false;
    }
    let same = span.digits.windows(2).skip(6).all(|pair| pair.first() == pair.last());
    // Test numbers end in ones and zeros (4111…, 4000…), but no card is one digit over and over.
    let flat = same && span.digits.windows(2).all(|pair| pair.first() == pair.last());
    !flat && issued(span) && luhn(span.digits)
}

/// Whether the first digits and the length are an issuer's (ISO/IEC 7812, as the networks publish them).
fn issued(span: &Span<'_>) -> bool {
    let (four, length) = (span.number(0, 4), span.digits.len());
    match four {
        // 13 digits are too many other things' length; the networks no longer issue them.
        4000..=4999 => length == 16 || (length == 19 && span.shape.len() > 1),
        5100..=5599 | 2221..=2720 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3600..=3699 | 3800..=3999 => length == 14,
        6011 | 6440..=6499 | 6500..=6599 | 3528..=3589 => length == 16,
        6200..=6299 => (16..=19).contains(&length),
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => (16..=19).contains(&length),
        2200..=2204 => length == 16,
        _ => false,
    }
}

/// ISO/IEC 7812-1, annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(*digit);
            if at % 2 == 0 { digit } else { digit / 5 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}
