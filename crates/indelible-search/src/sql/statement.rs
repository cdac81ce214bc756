//! Reads a statement, and refuses what is no question before anything is planned.
//!
//! A few lines can name a part of themselves again and again (`with`), and what they stand for doubles each time; so what a
//! statement would read is counted on its text. Never: lets through anything but `select` and `explain`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement as Parsed, Visit, Visitor, visit_relations};

use super::guard;
use crate::error::FindError;

/// Most times a statement may read the table, a part that is named several times counted each time.
pub const SQL_READS_MAX: usize = 64;

/// Reads a statement that only asks.
pub(super) fn read(
    state: &SessionState,
    text: &str,
    explain: impl Fn(DataFusionError) -> FindError,
) -> Result<Statement, FindError> {
    guard::check(text)?;
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(text, &dialect).map_err(explain)?;
    let reads = reads(question(&statement)?);
    if reads > SQL_READS_MAX {
        let reason = format!(
            "the statement reads tables more than {SQL_READS_MAX} times, parts named in `with` counted each time"
        );
        return Err(FindError::Sql { reason });
    }
    Ok(statement)
}

fn question(statement: &Statement) -> Result<&Query, FindError> {
    match statement {
        Statement::Statement(parsed) => match parsed.as_ref() {
            Parsed::Query(query) => Ok(query),
            other => Err(refused(other)),
        },
        Statement::Explain(explained) => question(&explained.statement),
        other => Err(refused(other)),
    }
}

fn refused(statement: &impl ToString) -> FindError {
    let word: String = statement.to_string().chars().take_while(|c| c.is_ascii_alphabetic()).take(24).collect();
    FindError::Sql { reason: format!("only `select` is allowed, and nothing that writes or sets: `{word}`") }
}

/// The tables that each named part of a statement reads.
#[derive(Default)]
struct Parts(HashMap<String, Vec<String>>);

impl Visitor for Parts {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for part in query.with.iter().flat_map(|with| &with.cte_tables) {
            let read = tables(part.query.as_ref());
            // Parts of one name in different places count as one that reads what all of them do.
            self.0.entry(part.alias.name.value.to_lowercase()).or_default().extend(read);
        }
        ControlFlow::Continue(())
    }
}

fn tables(statement: &impl Visit) -> Vec<String> {
    let mut names = Vec::new();
    let collected: ControlFlow<()> = visit_relations(statement, |name: &ObjectName| {
        names.push(name.to_string().replace('"', "").to_lowercase());
        ControlFlow::Continue(())
    });
    debug_assert!(collected.is_continue());
    names
}

/// How many times a statement reads a table.
fn reads(query: &Query) -> usize {
    let mut parts = Parts::default();
    let visited = query.visit(&mut parts);
    debug_assert!(visited.is_continue());
    let mut known = HashMap::new();
    tables(query).iter().map(|name| weight(name, &parts, &mut known)).fold(0, usize::saturating_add)
}

/// How many times the part `name` reads a table; 1 for a table itself, and for a part while it is being counted.
fn weight(name: &str, parts: &Parts, known: &mut HashMap<String, usize>) -> usize {
    let Some(read) = parts.0.get(name) else { return 1 };
    if let Some(weight) = known.get(name) {
        return *weight;
    }
    known.insert(name.to_owned(), 1);
    let weight = read.iter().map(|name| weight(name, parts, known)).fold(0, usize::saturating_add);
    known.insert(name.to_owned(), weight);
    weight
}
