//! What a statement may be: its length, and the functions it may use.
//!
//! Long chains of operators are planned by recursion, so the number of tokens bounds the stack that planning needs.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::{SessionStateBuilder, SessionStateDefaults};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::FindError;

/// Longest statement in bytes.
pub const SQL_BYTES_MAX: usize = 16 * 1024;
/// Most words and signs in a statement: several times what a person writes, and what the stack of a query thread bears.
pub const SQL_TOKENS_MAX: usize = 1_000;

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
pub(super) fn check(query: &str) -> std::result::Result<(), FindError> {
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
        return Err(wrong("the statement is empty; write for example: select action, count(*) from events group by action".to_owned()));
    }
    Ok(())
}

/// Lets every join hand its thread back now and then. Without it a statement that multiplies rows and throws them away again would
/// not end when its time is over: the engine hands back only where rows are read.
#[derive(Debug)]
pub(super) struct Interruptible;

impl PhysicalOptimizerRule for Interruptible {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let made = plan.transform_up(|node| {
            if node.children().is_empty() || node.is::<CooperativeExec>() {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
        });
        made.map(|made| made.data)
    }

    fn name(&self) -> &'static str {
        "interruptible"
    }

    fn schema_check(&self) -> bool {
        true
    }
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
        .with_physical_optimizer_rule(Arc::new(Interruptible))
}
