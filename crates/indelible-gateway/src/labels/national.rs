//! Persons' numbers of some countries, each by its own rules and check digits.
//!
//! Promises: a number whose check is weak (one digit in ten or eleven passes) counts only in its written form or after its name.

use super::card::luhn;
use super::numbers::Span;

/// Whether a span of digits is a person's number.
pub(super) fn is(span: &Span<'_>) -> bool {
    if span.plus || span.bracket || !span.alone {
        return false;
    }
    match span.digits.len() {
        6 => british_spaced(span),
        9 => american(span) || dutch(span) || canadian(span),
        10 => swedish(span),
        11 => german(span) || belgian(span) || polish(span) || brazilian(span),
        12 => indian(span) || swedish(span),
        13 => swiss(span),
        15 => french(span),
        18 => chinese_digits(span),
        _ => false,
    }
}

/// Whether a word of letters and digits is a person's number.
pub(super) fn with_letters(word: &[u8]) -> bool {
    match word.len() {
        9 => british(word) || spanish(word) || singaporean(word),
        15 => corsican(word),
        16 => italian(word),
        18 => chinese(word),
        _ => false,
    }
}

fn dotted(span: &Span<'_>, signs: &[u8]) -> bool {
    span.separators == signs
}

/// US social security number: no area 000, 666 or 9xx, no group 00, no serial 0000.
fn american(span: &Span<'_>) -> bool {
    let (area, group, serial) = (span.number(0, 3), span.number(3, 5), span.number(5, 9));
    let valid = !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0;
    // Printed on millions of wallets and forms, and withdrawn.
    let withdrawn = matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999) | (123, 45, 6789));
    let named = || span.named(&["ssn", "social security", "social", "ss"]);
    let written = span.shape == [3, 2, 4] && (dotted(span, b"--") || (span.uniform() && named()));
    valid && !withdrawn && (written || (span.shape == [9] && named()))
}

/// Dutch citizen service number: the eleven test.
fn dutch(span: &Span<'_>) -> bool {
    let weights = [9, 8, 7, 6, 5, 4, 3, 2, -1];
    let sum: i32 = span.digits.iter().zip(weights).map(|(digit, weight)| i32::from(*digit) * weight).sum();
    sum % 11 == 0 && sum != 0 && span.named(&["bsn", "burgerservicenummer", "sofinummer", "sofi"])
}

/// Canadian social insurance number.
fn canadian(span: &Span<'_>) -> bool {
    let begins = !matches!(span.digits.first(), Some(0 | 8));
    begins
        && matches!(span.shape, [3, 3, 3] | [9])
        && luhn(span.digits)
        && span.named(&["sin", "social insurance", "nas"])
}

/// Swedish personal number: a date, three digits, Luhn over the ten.
fn swedish(span: &Span<'_>) -> bool {
    let skip = span.digits.len().saturating_sub(10);
    let century = skip == 0 || matches!(span.number(0, 2), 19 | 20);
    // A day above 60 marks a coordination number.
    let day = matches!(span.number(skip + 4, skip + 6), 1..=31 | 61..=91);
    let valid = century && matches!(span.number(skip + 2, skip + 4), 1..=12) && day;
    let written = matches!(span.shape, [6 | 8, 4]) && dotted(span, b"-");
    let named = || span.named(&["personnummer", "person number", "samordningsnummer"]);
    valid && luhn(span.digits.get(skip..).unwrap_or_default()) && (written || named())
}

/// German tax identification number: one digit twice or three times among the first ten, ISO 7064 mod 11,10.
fn german(span: &Span<'_>) -> bool {
    let mut product = 10;
    let mut counts = [0_u8; 10];
    for digit in span.digits.iter().take(10) {
        let sum = (u32::from(*digit) + product) % 10;
        product = (if sum == 0 { 10 } else { sum }) * 2 % 11;
        if let Some(count) = counts.get_mut(usize::from(*digit)) {
            *count += 1;
        }
    }
    let check = (11 - product) % 10;
    let repeated = counts.iter().filter(|count| **count > 1).count() == 1 && counts.iter().all(|count| *count <= 3);
    let valid = span.digits.first() != Some(&0) && span.digits.last().is_some_and(|last| u32::from(*last) == check);
    let named = || {
        let names =
            ["steuer-id", "steuerid", "steuer id", "idnr", "identifikationsnummer", "steuernummer", "tin", "tax id"];
        span.named(&names)
    };
    valid && repeated && (span.shape == [2, 3, 3, 3] && dotted(span, b"   ") || named())
}

/// Belgian national number: a date, a serial, 97 minus the rest by 97 (with a 2 in front from the year 2000 on).
fn belgian(span: &Span<'_>) -> bool {
    let (number, check) = (span.number(0, 9), span.number(9, 11));
    let valid = check == 97 - number % 97 || check == 97 - (number + 2_000_000_000) % 97;
    let dates = matches!(span.number(2, 4) % 20, 0..=12) && span.number(4, 6) <= 31;
    let written = span.shape == [2, 2, 2, 3, 2] && dotted(span, b"..-.");
    valid
        && dates
        && (written || span.named(&["rijksregisternummer", "national number", "numero national", "niss", "insz"]))
}

/// Polish PESEL.
fn polish(span: &Span<'_>) -> bool {
    let weights = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1];
    let sum: u32 = span.digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let dates = matches!(span.number(2, 4) % 20, 1..=12) && matches!(span.number(4, 6), 1..=31);
    sum.is_multiple_of(10) && dates && span.named(&["pesel"])
}

/// Brazilian CPF: two check digits mod 11.
fn brazilian(span: &Span<'_>) -> bool {
    let flat = span.digits.windows(2).all(|pair| pair.first() == pair.last());
    let check = |count: u32| {
        let weights = (2..=count + 1).rev();
        let sum: u32 = span.digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
        sum * 10 % 11 % 10
    };
    let digit = |at: usize| span.digits.get(at).map(|digit| u32::from(*digit));
    let valid = !flat && digit(9) == Some(check(9)) && digit(10) == Some(check(10));
    valid && (span.shape == [3, 3, 3, 2] && dotted(span, b"..-") || span.named(&["cpf"]))
}

/// Indian Aadhaar: Verhoeff, and no 0 or 1 in front.
fn indian(span: &Span<'_>) -> bool {
    let begins = span.digits.first().is_some_and(|digit| *digit >= 2);
    let written = span.shape == [4, 4, 4] && span.uniform() && matches!(span.separators.first(), Some(b' ' | b'-'));
    let named = || span.named(&["aadhaar", "aadhar", "uidai", "uid"]);
    begins && verhoeff(span.digits) && (written || named())
}

/// Verhoeff's check over the dihedral group of ten elements.
fn verhoeff(digits: &[u8]) -> bool {
    const TURN: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let multiply = |one: usize, other: usize| match (one < 5, other < 5) {
        (true, true) => (one + other) % 5,
        (true, false) => (one + other - 5) % 5 + 5,
        (false, true) => (one - 5 + 5 - other) % 5 + 5,
        (false, false) => (one + 5 - other) % 5,
    };
    let mut sum = 0;
    for (at, digit) in digits.iter().rev().enumerate() {
        let mut value = usize::from(*digit);
        for _ in 0..at % 8 {
            value = TURN.get(value).copied().unwrap_or(0);
        }
        sum = multiply(sum, value);
    }
    sum == 0
}

/// Swiss social insurance number: 756, EAN-13.
fn swiss(span: &Span<'_>) -> bool {
    let sum: u32 =
        span.digits.iter().enumerate().map(|(at, digit)| u32::from(*digit) * if at % 2 == 0 { 1 } else { 3 }).sum();
    let written = matches!(span.shape, [13]) || (span.shape == [3, 4, 4, 2] && dotted(span, b"..."));
    span.number(0, 3) == 756 && sum.is_multiple_of(10) && written
}

/// French social security number: sex, year, month, place, 97 minus the rest by 97.
fn french(span: &Span<'_>) -> bool {
    let written = matches!(span.shape, [15] | [13, 2] | [1, 2, 2, 2, 3, 3, 2]) && span.uniform();
    written && french_valid(span.number(0, 13), span.number(13, 15))
}

fn french_valid(number: u64, key: u64) -> bool {
    let sex = matches!(number / 1_000_000_000_000, 1 | 2 | 7 | 8);
    let month = matches!(number / 100_000_000 % 100, 1..=12 | 20 | 30..=42 | 50..=99);
    sex && month && key == 97 - number % 97
}

/// The same for Corsica: `2A` counts as 19, `2B` as 18.
fn corsican(word: &[u8]) -> bool {
    let place = match word.get(5..7) {
        Some(b"2A") => b"19",
        Some(b"2B") => b"18",
        _ => return false,
    };
    let (Some(head), Some(tail)) = (word.get(..5), word.get(7..)) else { return false };
    let mut number = 0_u64;
    for byte in head.iter().chain(place).chain(tail) {
        let Some(digit) = char::from(*byte).to_digit(10) else { return false };
        number = number * 10 + u64::from(digit);
    }
    french_valid(number / 100, number % 100)
}

/// Chinese identity number: a date, ISO 7064 mod 11-2.
fn chinese_digits(span: &Span<'_>) -> bool {
    let mut word = [0; 18];
    for (place, digit) in word.iter_mut().zip(span.digits) {
        *place = b'0' + digit;
    }
    span.shape == [18] && chinese(&word)
}

fn chinese(word: &[u8]) -> bool {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let mut digits = [0_u32; 17];
    for (place, byte) in digits.iter_mut().zip(word) {
        let Some(digit) = char::from(*byte).to_digit(10) else { return false };
        *place = digit;
    }
    let number = |from: usize, to: usize| digits.iter().take(to).skip(from).fold(0, |sum, digit| sum * 10 + digit);
    let dates =
        matches!(number(6, 10), 1900..=2030) && matches!(number(10, 12), 1..=12) && matches!(number(12, 14), 1..=31);
    let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
    let check = b"10X98765432".get(usize::try_from(sum % 11).unwrap_or(0));
    let province = matches!(number(0, 2), 11..=65 | 71 | 81 | 82 | 91);
    province && dates && word.last().map(u8::to_ascii_uppercase).as_ref() == check
}

/// British national insurance number: prefixes never issued, suffix A to D.
fn british(word: &[u8]) -> bool {
    let Some((prefix, rest)) = word.split_first_chunk::<2>() else { return false };
    let Some((suffix, digits)) = rest.split_last() else { return false };
    british_prefix(*prefix) && matches!(suffix, b'A'..=b'D') && digits.iter().all(u8::is_ascii_digit)
}

fn british_prefix([first, second]: [u8; 2]) -> bool {
    let letters = first.is_ascii_uppercase() && second.is_ascii_uppercase();
    let never = matches!(first, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V')
        || matches!(second, b'D' | b'F' | b'I' | b'O' | b'Q' | b'U' | b'V')
        || [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"].iter().any(|pair| **pair == [first, second]);
    letters && !never
}

/// `QQ 12 34 56 C` as it is printed.
fn british_spaced(span: &Span<'_>) -> bool {
    let prefix = match span.before {
        [.., separate, first, second, b' '] if !separate.is_ascii_alphanumeric() => Some([*first, *second]),
        [first, second, b' '] => Some([*first, *second]),
        _ => None,
    };
    let suffix = match span.after {
        [b' ', letter @ b'A'..=b'D', end, ..] if !end.is_ascii_alphanumeric() => Some(letter),
        [b' ', letter @ b'A'..=b'D'] => Some(letter),
        _ => None,
    };
    span.shape == [2, 2, 2] && dotted(span, b"  ") && suffix.is_some() && prefix.is_some_and(british_prefix)
}

/// Spanish DNI and NIE: eight digits (of which X, Y or Z stands for 0, 1 or 2), mod 23.
fn spanish(word: &[u8]) -> bool {
    let mut number = 0_usize;
    for (at, byte) in word.iter().take(8).enumerate() {
        let digit = match byte {
            b'X' if at == 0 => 0,
            b'Y' if at == 0 => 1,
            b'Z' if at == 0 => 2,
            digit if digit.is_ascii_digit() => usize::from(*digit - b'0'),
            _ => return false,
        };
        number = number * 10 + digit;
    }
    number > 9_999 && b"TRWAGMYFPDXBNJZSQVHLCKE".get(number % 23) == word.last()
}

/// Singapore's NRIC and FIN.
fn singaporean(word: &[u8]) -> bool {
    let weights = [2, 7, 6, 5, 4, 3, 2];
    let Some((first, rest)) = word.split_first() else { return false };
    let mut sum = match first {
        b'S' | b'F' => 0,
        b'T' | b'G' => 4,
        _ => return false,
    };
    for (byte, weight) in rest.iter().zip(weights) {
        let Some(digit) = char::from(*byte).to_digit(10) else { return false };
        sum += digit * weight;
    }
    let letters = if matches!(first, b'S' | b'T') { b"JZIHGFEDCBA" } else { b"XWUTRQPNMLK" };
    letters.get(usize::try_from(sum % 11).unwrap_or(0)) == word.last()
}

/// Italian codice fiscale: letters and digits in their places, a check letter.
fn italian(word: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let mut sum = 0;
    for (at, byte) in word.iter().enumerate() {
        let byte = byte.to_ascii_uppercase();
        let letter = byte.is_ascii_uppercase();
        // Letters L to V may stand for digits where two people would share a number.
        let numeric = byte.is_ascii_digit() || matches!(byte, b'L'..=b'N' | b'P'..=b'V');
        let fits = match at {
            0..=5 | 11 | 15 => letter,
            8 => matches!(byte, b'A'..=b'E' | b'H' | b'L' | b'M' | b'P' | b'R'..=b'T'),
            _ => numeric,
        };
        if !fits {
            return false;
        }
        let value = u32::from(if letter { byte - b'A' } else { byte - b'0' });
        sum += match at {
            15 => return sum % 26 == value,
            _ if at % 2 == 1 => value,
            _ => usize::try_from(value).ok().and_then(|value| ODD.get(value)).copied().unwrap_or(0),
        };
    }
    false
}
