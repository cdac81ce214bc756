//! What a statement may be: its length, and the functions it may use.
//!
//! Long chains of operators are planned by recursion, so the number of tokens bounds the stack that planning needs.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SessionStateBuilder, SessionStateDefaults};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::FindError;

/// Longest statement in bytes.
pub const SQL_BYTES_MAX: usize = 16 * 1024;
/// Most words and signs in a statement: several times what a person writes, and what the stack of a query thread bears.
pub const SQL_TOKENS_MAX: usize = 1_000;

/// Most steps of a plan, parts that are named several times counted each time.
pub const SQL_STEPS_MAX: usize = 1_000;

/// Functions that make much out of little, or tell of the machine: not offered.
const NOT_OFFERED: &[&str] = &[
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "generate_series",
    "range",
    "repeat",
    "lpad",
    "rpad",
    "version",
];

/// # Errors
/// [`FindError::Sql`] when the statement is too long or cannot be split into words.
pub(super) fn check(query: &str) -> Result<(), FindError> {
    let wrong = |reason: String| FindError::Sql { reason };
    if query.len() > SQL_BYTES_MAX {
        return Err(wrong(format!("the statement is {} bytes long, and {SQL_BYTES_MAX} are allowed", query.len())));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, query).tokenize().map_err(|fault| wrong(fault.to_string()))?;
    let count = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count();
    if count > SQL_TOKENS_MAX {
        return Err(wrong(format!("the statement has {count} words and signs, and {SQL_TOKENS_MAX} are allowed")));
    }
    if count == 0 {
        return Err(wrong(
            "the statement is empty; write for example: select action, count(*) from events group by action".to_owned(),
        ));
    }
    Ok(())
}

/// # Errors
/// [`FindError::Sql`] when the plan has too many steps. A statement of a few lines can name a part of itself again and again
/// (`with`), and what it stands for doubles each time; planning it further would take all memory.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), FindError> {
    let mut steps = 0;
    let counted = plan.apply_with_subqueries(|_| {
        steps += 1;
        Ok(if steps > SQL_STEPS_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if counted.is_err() || steps > SQL_STEPS_MAX {
        return Err(FindError::Sql { reason: format!("the statement stands for more than {SQL_STEPS_MAX} steps") });
    }
    Ok(())
}

/// The functions on offer: no table functions, no file formats, no factories of tables.
pub(super) fn functions(builder: SessionStateBuilder) -> SessionStateBuilder {
    let offered = |name: &str, aliases: &[String]| {
        !NOT_OFFERED.contains(&name) && !aliases.iter().any(|alias| NOT_OFFERED.contains(&alias.as_str()))
    };
    let scalar = SessionStateDefaults::default_scalar_functions()
        .into_iter()
        .filter(|function| offered(function.name(), function.aliases()))
        .collect();
    builder
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(scalar)
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
}
