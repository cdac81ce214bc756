//! The same question for other tools: what a reader of the page can copy into a terminal, a script or a notebook.
//!
//! Never: a token in it; it stands as the variable that every client command reads.

use indelible_search::query::Query;

use super::search::Asked;
use crate::call::Call;
use crate::logs::LogHandle;
use crate::serve::url;

/// A question in three forms.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    pub(super) curl: String,
    pub(super) command: String,
    /// `None` where SQL has no plain form of it.
    pub(super) sql: Option<String>,
}

/// Writes a question down.
pub(super) fn copies(call: &Call, log: &LogHandle, asked: &Asked, query: &Query) -> Copies {
    let server = server(call);
    let is_first = call.app.logs.first().name() == log.name();
    let named =
        [("from", asked.from.as_str()), ("to", asked.to.as_str()), ("log", if is_first { "" } else { log.name() })];
    let given = || named.into_iter().filter(|(_, value)| !value.is_empty());
    let mut curl = format!(
        "curl -sS -G {server}/v1/events -H \"Authorization: Bearer $INDELIBLE_TOKEN\" --data-urlencode {}",
        quoted(&format!("q={}", asked.q))
    );
    let mut command = format!("indelible search {}", quoted(&asked.q));
    for (name, value) in given() {
        curl.push_str(&format!(" --data-urlencode {}", quoted(&format!("{name}={value}"))));
        command.push_str(&format!(" --{name} {}", quoted(value)));
    }
    let sql = query.to_sql().map(|condition| {
        let direction = if asked.order == "asc" { "" } else { " desc" };
        format!("select * from events where {condition} order by \"index\"{direction} limit 100")
    });
    Copies { curl, command, sql }
}

/// How others reach this server.
pub(super) fn server(call: &Call) -> String {
    let config = &call.app.config;
    url(config, &config.server.listen, config.tls())
}

/// A word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in ["", "a b", "it's", "$(reboot)", "\"`;&|", "\\n"] {
            let output = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(text))).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), text);
        }
    }
}
