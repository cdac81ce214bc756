//! Searches that people keep under a name, each for themselves; in `state.sqlite`. Never: an answer, only the question.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, params};

use crate::file::{self, ConnectError};

/// Most searches of one person.
pub const SEARCHES_MAX: usize = 100;
/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 80;
/// Longest question: a query string of the search page.
pub const QUESTION_BYTES_MAX: usize = 8 * 1024;

const CREATE: &str = "
create table if not exists searches (
    owner    text not null,
    name     text not null,
    question text not null,
    primary key (owner, name)
) strict;
";

/// A search cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SearchesError {
    /// The file cannot be connected to.
    #[error("the file of saved searches cannot be used")]
    Connect(#[from] ConnectError),
    /// The file cannot be read or written.
    #[error("the file of saved searches cannot be used")]
    File(#[from] rusqlite::Error),
    /// A name that is empty, too long, or has control characters.
    #[error("a search's name has 1 to {NAME_BYTES_MAX} bytes and no control characters")]
    Name,
    /// A question that is too long.
    #[error("a search that is kept has at most {QUESTION_BYTES_MAX} bytes")]
    Question,
    /// Too many.
    #[error("{SEARCHES_MAX} searches are kept already; forget one first")]
    Full,
}

/// All saved searches.
#[derive(Debug)]
pub struct SavedSearches(Mutex<Connection>);

impl SavedSearches {
    /// Opens them in the file at `path`, which is made when it is not there.
    ///
    /// # Errors
    /// [`SearchesError`] when the file cannot be used.
    pub fn open(path: &Path) -> Result<Self, SearchesError> {
        let connection = file::connect(path)?;
        connection.execute_batch(CREATE)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Those of `owner`, by name: name and question.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn of(&self, owner: &str) -> Result<Vec<(String, String)>, SearchesError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("select name, question from searches where owner = ? order by name")?;
        let rows = statement.query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps a question under a name; one that was kept under it is replaced.
    ///
    /// # Errors
    /// What is wrong with it, [`SearchesError::Full`], or that of the file.
    pub fn keep(&self, owner: &str, name: &str, question: &str) -> Result<(), SearchesError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(SearchesError::Name);
        }
        if question.len() > QUESTION_BYTES_MAX {
            return Err(SearchesError::Question);
        }
        let known = self.of(owner)?;
        if known.len() >= SEARCHES_MAX && !known.iter().any(|(known, _)| known == name) {
            return Err(SearchesError::Full);
        }
        let sql = "insert into searches (owner, name, question) values (?, ?, ?) \
                   on conflict (owner, name) do update set question = excluded.question";
        self.connection().execute(sql, params![owner, name, question])?;
        Ok(())
    }

    /// Forgets one; nothing happens when there is none.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn forget(&self, owner: &str, name: &str) -> Result<(), SearchesError> {
        self.connection().execute("delete from searches where owner = ? and name = ?", params![owner, name])?;
        Ok(())
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_kept_for_each_by_name_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let searches = SavedSearches::open(&path).unwrap();
        searches.keep("ana", "denied", "?q=outcome%3Adenied").unwrap();
        searches.keep("ana", "denied", "?q=outcome%3Afailed").unwrap();
        searches.keep("ben", "mine", "?q=actor%3Aben").unwrap();
        drop(searches);
        let searches = SavedSearches::open(&path).unwrap();
        assert_eq!(searches.of("ana").unwrap(), [("denied".to_owned(), "?q=outcome%3Afailed".to_owned())]);
        searches.forget("ana", "mine").unwrap();
        assert_eq!(searches.of("ben").unwrap().len(), 1, "nobody forgets another's");
    }

    #[test]
    fn names_questions_and_their_number_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let searches = SavedSearches::open(&folder.path().join("state.sqlite")).unwrap();
        for name in ["", "a\nb", &"n".repeat(81)] {
            assert!(matches!(searches.keep("ana", name, ""), Err(SearchesError::Name)), "{name}");
        }
        assert!(matches!(searches.keep("ana", "n", &"q".repeat(8_193)), Err(SearchesError::Question)));
        for place in 0..SEARCHES_MAX {
            searches.keep("ana", &format!("s{place}"), "").unwrap();
        }
        assert!(matches!(searches.keep("ana", "more", ""), Err(SearchesError::Full)));
        assert!(searches.keep("ana", "s1", "?q=x").is_ok() && searches.keep("ben", "more", "").is_ok());
    }
}
