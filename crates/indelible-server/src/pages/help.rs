//! `GET /help`: keys, words, and how queries are written. Needs no token, and shows nothing of a log.

use std::sync::Arc;

use askama::Template;

use super::html;
use super::shell::Shell;
use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::trail::Mark;

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage {
    shell: Shell,
}

/// Shows help.
pub(super) fn show(call: &Arc<Call>) -> Result<Answer, Problem> {
    call.parameters(&["log"])?;
    html::answer(
        call,
        &HelpPage { shell: Shell::bare(call, "Keys and words") },
        Mark::not_needed("shows nothing of a log"),
    )
}
