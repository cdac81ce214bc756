//! What the book forgets, so that its file stays bounded. What was found and decided stands in the log for ever.

use super::{Book, BookError};

/// Most findings that are remembered, the newest: entries are seen again for a minute or so after a crash, not for years.
const FINDINGS_MAX: i64 = 1_000_000;
/// Most alerts that are remembered; the oldest closed ones go first.
const ALERTS_MAX: i64 = 200_000;
/// Most delivered and dead notices of closed alerts that are remembered.
const NOTICES_MAX: i64 = 200_000;
/// Most rows that one call takes out.
const AT_ONCE: i64 = 10_000;

impl Book {
    /// Takes out what is beyond the bounds; some at a time.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn forget_old(&self) -> Result<(), BookError> {
        self.transaction(|tx| {
            let closed = "alert in (select id from alerts where state = 2)";
            let over = |table: &str, most: i64| -> rusqlite::Result<i64> {
                let count: i64 = tx.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0))?;
                Ok((count - most).clamp(0, AT_ONCE))
            };
            let notices = over("notices", NOTICES_MAX)?;
            if notices > 0 {
                let sql = format!(
                    "delete from notices where number in \
                    (select number from notices where state <> 0 and {closed} order by number limit ?1)"
                );
                tx.execute(&sql, [notices])?;
            }
            let findings = over("findings", FINDINGS_MAX)?;
            if findings > 0 {
                let sql = "delete from findings where id in (select id from findings order by time limit ?1)";
                tx.execute(sql, [findings])?;
            }
            let alerts = over("alerts", ALERTS_MAX)?;
            if alerts > 0 {
                let sql =
                    "delete from alerts where id in (select id from alerts where state = 2 order by last limit ?1)";
                tx.execute(sql, [alerts])?;
            }
            Ok(())
        })
    }
}
