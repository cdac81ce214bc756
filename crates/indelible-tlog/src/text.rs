//! Small readers shared by the text formats. Promises: one spelling only. Never: allocates.

use crate::tree::TREE_SIZE_MAX;

/// A decimal without leading zeros, sign or spaces, up to the largest tree size.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if !digits || leading_zero {
        return None;
    }
    text.parse().ok().filter(|value| *value <= TREE_SIZE_MAX.0)
}

/// Takes the next line off the front; `None` when no line is left or the last one has no newline.
pub(crate) fn take_line<'a>(text: &mut &'a str) -> Option<&'a str> {
    let (line, rest) = text.split_once('\n')?;
    *text = rest;
    Some(line)
}
