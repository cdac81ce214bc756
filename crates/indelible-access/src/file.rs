//! The file of tokens: `state.sqlite`, mode 0600, write-ahead log, synchronous FULL, so that a token that was handed over
//! or revoked is so after a power cut too. Never: a token's text.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use indelible_event::words::ActorType;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, params};
use serde_json::json;

use crate::book::{TokenError, TokenRow};
use crate::holder::Holder;
use crate::identity::TokenName;
use crate::role::Role;
use crate::token::TokenHash;

/// The layout of this file, kept in SQLite's `user_version`.
const LAYOUT: i64 = 2;

const CREATE: &str = "
create table tokens (
    id      text primary key not null,
    name    text not null,
    role    text not null,
    hash    blob not null unique,
    logs    text,
    created integer not null,
    expires integer,
    revoked integer,
    used    integer not null default 0,
    origin  text not null,
    actor_type text not null default 'service',
    roles   text not null default '[]',
    groups  text not null default '[]'
) strict;
create unique index tokens_live_name on tokens (name) where revoked is null;
pragma user_version = 2;
";

/// From layout 1, whose tokens were all services without roles and groups. Roles and groups are JSON lists.
const FROM_1: &str = "
alter table tokens add column actor_type text not null default 'service';
alter table tokens add column roles text not null default '[]';
alter table tokens add column groups text not null default '[]';
pragma user_version = 2;
";

/// The file could not be connected to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It could not be made.
    #[error("it cannot be created")]
    Create(#[source] std::io::Error),
    /// It could not be opened or set up.
    #[error("it cannot be opened")]
    Open(#[source] rusqlite::Error),
}

/// A connection to `state.sqlite`, which is made when it is not there (0600; what SQLite puts beside it takes over its mode).
pub(crate) fn connect(path: &Path) -> Result<Connection, ConnectError> {
    let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    drop(made.map_err(ConnectError::Create)?);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(ConnectError::Open)?;
    let settings =
        "pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000; pragma secure_delete = on;";
    connection.execute_batch(settings).map_err(ConnectError::Open)?;
    Ok(connection)
}

/// The open file.
#[derive(Debug)]
pub(crate) struct TokenFile {
    connection: Connection,
    path: PathBuf,
}

impl TokenFile {
    /// Opens or creates the file.
    pub(crate) fn open(path: &Path) -> Result<Self, TokenError> {
        let fail = |source| TokenError::File { path: path.to_owned(), source };
        let connection = connect(path).map_err(|error| match error {
            ConnectError::Create(source) => TokenError::Create { path: path.to_owned(), source },
            ConnectError::Open(source) => fail(source),
        })?;
        let layout: i64 = connection.query_row("pragma user_version", [], |row| row.get(0)).map_err(fail)?;
        match layout {
            0 => connection.execute_batch(&format!("begin immediate; {CREATE} commit;")).map_err(fail)?,
            1 => connection.execute_batch(&format!("begin immediate; {FROM_1} commit;")).map_err(fail)?,
            LAYOUT => {}
            found => return Err(TokenError::Layout { path: path.to_owned(), found, known: LAYOUT }),
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Every token, revoked ones too, oldest first.
    pub(crate) fn rows(&self) -> Result<Vec<(TokenRow, TokenHash)>, TokenError> {
        let read = || -> rusqlite::Result<Vec<(Option<TokenRow>, [u8; 32])>> {
            let mut statement = self.connection.prepare(
                "select id, name, role, logs, created, expires, revoked, used, origin, hash, actor_type, roles, groups from tokens order by created, id",
            )?;
            let rows = statement.query_map([], |row| Ok((read_row(row)?, row.get::<_, [u8; 32]>(9)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|source| self.error(source))?;
        rows.into_iter()
            .map(|(row, hash)| {
                let row = row.ok_or_else(|| TokenError::Damaged { path: self.path.clone() })?;
                Ok((row, TokenHash(hash)))
            })
            .collect()
    }

    /// Adds a token.
    pub(crate) fn insert(&self, row: &TokenRow, hash: &TokenHash) -> Result<(), TokenError> {
        let logs = row.logs.as_ref().map(|logs| logs.join(","));
        let result = self.connection.execute(
            "insert into tokens (id, name, role, hash, logs, created, expires, origin, actor_type, roles, groups)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                row.id,
                row.name.as_str(),
                row.role.word(),
                hash.0.as_slice(),
                logs,
                row.created,
                row.expires,
                if row.from_environment { "environment" } else { "made" },
                row.holder.actor_type().as_str(),
                json!(row.holder.roles()).to_string(),
                json!(row.holder.groups()).to_string(),
            ],
        );
        match result {
            Ok(_) => Ok(()),
            Err(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == ErrorCode::ConstraintViolation => {
                Err(TokenError::NameTaken { name: row.name.to_string() })
            }
            Err(source) => Err(self.error(source)),
        }
    }

    /// Marks a token revoked; it stays listed.
    pub(crate) fn revoke(&self, id: &str, now: i64) -> Result<(), TokenError> {
        self.connection
            .execute("update tokens set revoked = ?2 where id = ?1 and revoked is null", params![id, now])
            .map(|_| ())
            .map_err(|source| self.error(source))
    }

    /// Writes when tokens were last used, in one transaction.
    pub(crate) fn save_used(&mut self, used: &[(String, i64)]) -> Result<(), TokenError> {
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction()?;
            for (id, at) in used {
                transaction.execute("update tokens set used = max(used, ?2) where id = ?1", params![id, at])?;
            }
            transaction.commit()
        };
        write().map_err(|source| TokenError::File { path: self.path.clone(), source })
    }

    fn error(&self, source: rusqlite::Error) -> TokenError {
        TokenError::File { path: self.path.clone(), source }
    }
}

/// `None` when the row does not hold what this program writes.
fn read_row(row: &Row<'_>) -> rusqlite::Result<Option<TokenRow>> {
    let name: String = row.get(1)?;
    let role: String = row.get(2)?;
    let logs: Option<String> = row.get(3)?;
    let origin: String = row.get(8)?;
    let (Ok(name), Some(role)) = (TokenName::new(&name), Role::parse(&role)) else { return Ok(None) };
    let (actor_type, roles, groups): (String, String, String) = (row.get(10)?, row.get(11)?, row.get(12)?);
    let Some(holder) = holder(&actor_type, &roles, &groups) else { return Ok(None) };
    Ok(Some(TokenRow {
        id: row.get(0)?,
        name,
        role,
        holder,
        logs: logs.map(|logs| logs.split(',').filter(|log| !log.is_empty()).map(str::to_owned).collect()),
        created: row.get(4)?,
        expires: row.get(5)?,
        revoked: row.get(6)?,
        used: row.get(7)?,
        from_environment: origin == "environment",
    }))
}

fn holder(actor_type: &str, roles: &str, groups: &str) -> Option<Holder> {
    let names = |text: &str| serde_json::from_str::<Vec<String>>(text).ok();
    Holder::new(ActorType::parse(actor_type)?, names(roles)?, names(groups)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_the_first_layout_become_services_and_later_ones_keep_their_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let old = "create table tokens (
                id text primary key not null, name text not null, role text not null, hash blob not null unique, logs text,
                created integer not null, expires integer, revoked integer, used integer not null default 0, origin text not null
            ) strict;
            create unique index tokens_live_name on tokens (name) where revoked is null;
            insert into tokens values ('tok_1', 'app', 'gateway', zeroblob(32), 'main', 5, null, null, 0, 'made');
            pragma user_version = 1;";
        connect(&path).unwrap().execute_batch(old).unwrap();
        let file = TokenFile::open(&path).unwrap();
        let (row, _) = file.rows().unwrap().remove(0);
        assert_eq!((row.name.as_str(), &row.holder), ("app", &Holder::default()));
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let holder = Holder::new(ActorType::Agent, names("analyst reader"), names("fraud")).unwrap();
        let second = TokenRow { id: "tok_2".to_owned(), name: TokenName::new("bot").unwrap(), holder, ..row };
        file.insert(&second, &TokenHash([1; 32])).unwrap();
        drop(file);
        let rows = TokenFile::open(&path).unwrap().rows().unwrap();
        assert_eq!(rows[1].0, second);
    }
}
