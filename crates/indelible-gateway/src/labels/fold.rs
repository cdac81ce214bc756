//! Characters as a reader sees them: small letters without marks, and what only looks like a Latin letter as that letter.
//!
//! Promises: what is written to slip past a list of words (accents, full width, mathematical alphabets, letters of other scripts,
//! signs of no width between letters, digits for letters) reads like the plain word.

/// What a character is to a reader of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folded {
    /// One of `a` to `z`.
    Letter(u8),
    /// Two of them.
    Two(u8, u8),
    /// Nothing that is seen.
    Nothing,
    /// The end of a sentence, if a space follows.
    Stop,
    /// Whatever else stands between words.
    Break,
}

/// A byte of ASCII.
pub(super) fn ascii(byte: u8) -> Folded {
    match byte {
        b'a'..=b'z' => Folded::Letter(byte),
        b'A'..=b'Z' => Folded::Letter(byte | 0x20),
        b'0' => Folded::Letter(b'o'),
        b'1' => Folded::Letter(b'i'),
        b'3' => Folded::Letter(b'e'),
        b'4' => Folded::Letter(b'a'),
        b'5' => Folded::Letter(b's'),
        b'7' => Folded::Letter(b't'),
        b'.' | b'!' | b'?' | b';' => Folded::Stop,
        _ => Folded::Break,
    }
}

/// Any other character.
pub(super) fn wide(sign: char) -> Folded {
    match sign {
        // soft hyphen, marks that stand on the letter before, signs of no width or direction, variants of signs
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => {
            Folded::Nothing
        }
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => Folded::Nothing,
        // full width, tags, mathematical alphabets: ASCII under another number
        '\u{ff01}'..='\u{ff5e}' => shifted(sign, 0xff01, 0x21),
        '\u{e0020}'..='\u{e007e}' => shifted(sign, 0xe0020, 0x20),
        '\u{1d400}'..='\u{1d6a3}' => {
            let letter = (u32::from(sign) - 0x1d400) % 26;
            u8::try_from(letter).map_or(Folded::Break, |letter| Folded::Letter(b'a' + letter))
        }
        'ß' | 'ẞ' => Folded::Two(b's', b's'),
        'æ' | 'Æ' => Folded::Two(b'a', b'e'),
        'œ' | 'Œ' => Folded::Two(b'o', b'e'),
        _ => letter(sign),
    }
}

fn shifted(sign: char, from: u32, to: u32) -> Folded {
    u8::try_from(u32::from(sign) - from + to).map_or(Folded::Break, ascii)
}

fn letter(sign: char) -> Folded {
    let small = sign.to_lowercase().next().unwrap_or(sign);
    let plain = match small {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'а' | 'α' | 'ɑ' => b'a',
        'ç' | 'ć' | 'č' | 'с' | 'ϲ' => b'c',
        'ď' | 'đ' | 'ԁ' => b'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'е' | 'ε' => b'e',
        'ɡ' | 'ğ' => b'g',
        'һ' => b'h',
        'ì'..='ï' | 'ī' | 'į' | 'ı' | 'і' | 'ι' => b'i',
        'ј' => b'j',
        'ӏ' | 'ł' => b'l',
        'ñ' | 'ń' | 'ň' => b'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' | 'о' | 'ο' => b'o',
        'р' | 'ρ' => b'p',
        'ѕ' | 'ś' | 'š' | 'ş' => b's',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'υ' => b'u',
        'ν' | 'ѵ' => b'v',
        'х' | 'χ' => b'x',
        'ý' | 'ÿ' | 'у' | 'γ' => b'y',
        'ž' | 'ź' | 'ż' => b'z',
        '。' | '！' | '？' => return Folded::Stop,
        _ => return Folded::Break,
    };
    Folded::Letter(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let mut out = String::new();
        for sign in text.chars() {
            let folded = if sign.is_ascii() { ascii(sign as u8) } else { wide(sign) };
            match folded {
                Folded::Letter(letter) => out.push(letter.into()),
                Folded::Two(one, two) => out.extend([char::from(one), char::from(two)]),
                Folded::Nothing => {}
                Folded::Stop | Folded::Break => out.push(' '),
            }
        }
        out
    }

    #[test]
    fn what_looks_like_a_word_reads_like_it() {
        for dressed in [
            "ignore",
            "IGNORE",
            "ígnòrë",
            "ｉｇｎｏｒｅ",
            "𝐢𝐠𝐧𝐨𝐫𝐞",
            "𝙸𝚐𝚗𝚘𝚛𝚎",
            "іgnоrе",
            "i\u{200b}gno\u{ad}re",
            "1gn0r3",
        ] {
            assert_eq!(read(dressed), "ignore", "{dressed}");
        }
        assert_eq!(read("précédentes Größe Œuvre"), "precedentes grosse oeuvre");
        assert_eq!(read("你好"), "  ");
    }
}
