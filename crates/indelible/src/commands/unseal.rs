//! `indelible unseal`: shows one sealed content. The server records who reads what for, before it shows a byte.

use std::io::{Read, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use indelible_event::vault::Commitment;
use serde_json::json;

use super::part_of;
use crate::cli::{ServerArguments, UnsealArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, print, stdout};

/// Longest content that is put into a JSON document.
const IN_JSON_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(crate) fn run(server: &ServerArguments, arguments: &UnsealArguments) -> Result<Exit, CliError> {
    let id = commitment(&arguments.id)?;
    let purpose = [("purpose", arguments.purpose.clone())];
    let response = Client::new(server)?.get_stream(&format!("/v1/sealed/{id}"), &purpose)?;
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (event, media_type) = (header("x-indelible-event"), header("content-type"));
    let bytes: u64 = header("content-length").parse().unwrap_or_default();
    let mut body = response.into_body().into_reader();
    match (&arguments.output, arguments.format) {
        (None, Format::Text) => {
            let mut out = stdout();
            whole(std::io::copy(&mut body, &mut out)?, bytes)?;
            out.flush()?;
        }
        (None, Format::Json) => {
            let mut content = Vec::new();
            body.take(IN_JSON_BYTES_MAX + 1).read_to_end(&mut content)?;
            if content.len() as u64 > IN_JSON_BYTES_MAX {
                return Err(CliError::new("the content is too long for a JSON document").hint("name a file with -o"));
            }
            whole(content.len() as u64, bytes)?;
            let mut shown = json!({"id": id.to_string(), "event": event, "media_type": media_type, "bytes": bytes});
            match String::from_utf8(content) {
                Ok(text) => shown["content"] = text.into(),
                Err(error) => shown["content_base64"] = STANDARD.encode(error.as_bytes()).into(),
            }
            print(format_args!("{shown:#}\n"))?;
        }
        (Some(path), format) => {
            save(path, &mut body, bytes)?;
            let shown =
                json!({"id": id.to_string(), "event": event, "media_type": media_type, "bytes": bytes, "file": path});
            match format {
                Format::Json => print(format_args!("{shown:#}\n"))?,
                Format::Text => eprintln!("Wrote {bytes} bytes ({media_type}) of event {event} to {}", path.display()),
            }
        }
    }
    Ok(Exit::Ok)
}

/// A content's id as people have it: hexadecimal digits, or base64 as in events.
pub(crate) fn commitment(text: &str) -> Result<Commitment, CliError> {
    let decoded =
        || STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()?.try_into().ok().map(Commitment);
    Commitment::parse(text).or_else(decoded).ok_or_else(|| {
        CliError::new(format!("`{text}` is not the id of a content"))
            .exit(Exit::Usage)
            .hint("it is the `commitment` in the event's `sealed` list, in base64 or in 64 hexadecimal digits")
    })
}

fn save(path: &Path, body: &mut impl Read, bytes: u64) -> Result<(), CliError> {
    let beside = part_of(path);
    let failed = |error: std::io::Error| CliError::because(format!("cannot write {}", path.display()), &error);
    let mut file = private(&beside).map_err(failed)?;
    let copied = std::io::copy(body, &mut file).map_err(failed).and_then(|copied| whole(copied, bytes));
    if let Err(error) = copied {
        // Half a content is of no use and in the way.
        std::fs::remove_file(&beside).map_err(failed)?;
        return Err(error);
    }
    file.sync_all().and_then(|()| std::fs::rename(&beside, path)).map_err(failed)
}

/// A file that only its owner can read: what was sealed stays with who unsealed it.
fn private(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn whole(came: u64, promised: u64) -> Result<(), CliError> {
    if came == promised {
        return Ok(());
    }
    Err(CliError::new(format!("the content broke off: {came} of {promised} bytes came")).hint("try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_all_its_forms() {
        let id = Commitment([0xab; 32]);
        for text in [id.to_string(), STANDARD.encode(id.0), URL_SAFE_NO_PAD.encode(id.0)] {
            assert_eq!(commitment(&text).unwrap(), id);
        }
        assert!(commitment("abc").is_err());
    }
}
