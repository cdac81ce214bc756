//! Find.
pub mod columns;
pub mod query;
/// x
pub mod scan { /// x
 pub const FREE_TEXT_COLUMNS: &[crate::columns::Column] = &[]; }
