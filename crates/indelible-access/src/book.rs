//! The book of tokens: live ones in memory for every request, all of them in the file. The file is written first, so that
//! memory never grants what a restart would not.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use indelible_event::env::Randomness;

use crate::file::TokenFile;
use crate::holder::Holder;
use crate::identity::{Identity, Refusal, TokenName, TokenNameError};
use crate::role::Role;
use crate::token::{TOKEN_TEXT_BYTES_MAX, TokenHash, TokenText, hex};

/// Most tokens kept, revoked ones included: the list and the memory stay bounded.
pub const TOKENS_MAX: usize = 100_000;
/// Most logs one token may be limited to.
pub const TOKEN_LOGS_MAX: usize = 100;
/// The name of the token that `INDELIBLE_ADMIN_TOKEN` gives or the first start makes.
pub const ADMIN_NAME: &str = "admin";

/// What is known of a token; the secret is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Public id (`tok_…`).
    pub id: String,
    /// Name, unique among live tokens.
    pub name: TokenName,
    /// What it may do.
    pub role: Role,
    /// Who holds it.
    pub holder: Holder,
    /// The logs it is limited to; `None` means every log.
    pub logs: Option<Vec<String>>,
    /// When it was made, in seconds since the epoch, as the next three.
    pub created: i64,
    /// When it stops working.
    pub expires: Option<i64>,
    /// When it was revoked.
    pub revoked: Option<i64>,
    /// When it was last used, to the minute; 0 for never.
    pub used: i64,
    /// Whether it came from `INDELIBLE_ADMIN_TOKEN`.
    pub from_environment: bool,
}

impl TokenRow {
    /// Whether it opens anything at `now`, in seconds since the epoch.
    #[must_use]
    pub fn is_live(&self, now: i64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| expires > now)
    }
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name.
    pub name: TokenName,
    /// What it may do.
    pub role: Role,
    /// Who will hold it.
    pub holder: Holder,
    /// The logs to limit it to.
    pub logs: Option<Vec<String>>,
    /// When it stops working, in seconds since the epoch.
    pub expires: Option<i64>,
}

/// A token that was made but opens nothing yet: first its making is recorded, then [`TokenBook::keep`] makes it live.
#[derive(Debug)]
pub struct Minted {
    /// What will be kept.
    pub row: TokenRow,
    /// What its owner gets; `None` for a token that the operator chose and knows.
    pub text: Option<TokenText>,
    hash: TokenHash,
    replaces: Option<String>,
}

/// Why a token could not be made, kept, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be created.
    #[error("cannot create the token file {}", path.display())]
    Create {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file could not be read or written.
    #[error("cannot use the token file {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file was written by another version.
    #[error("the token file {} has layout {found}; this version knows layout {known} only", path.display())]
    Layout {
        /// Which file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The layout known here.
        known: i64,
    },
    /// A row holds what this program never writes.
    #[error("the token file {} is damaged: a row holds an unknown role, name or holder", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// A live token has this name already.
    #[error("a live token is named `{name}` already; revoke it first or choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The name cannot be given.
    #[error(transparent)]
    Name(#[from] TokenNameError),
    /// No live token has this id.
    #[error("no live token has the id `{id}`")]
    NotFound {
        /// The id asked for.
        id: String,
    },
    /// Revoking it would leave nobody who can make tokens.
    #[error("`{name}` is the last live admin token; make another one before revoking it")]
    LastAdmin {
        /// Its name.
        name: String,
    },
    /// The book is full.
    #[error("there are {TOKENS_MAX} tokens already, the most that are kept")]
    Full,
    /// The operator's admin token was revoked here before.
    #[error("the token in INDELIBLE_ADMIN_TOKEN was revoked; choose a new one")]
    ChosenWasRevoked,
    /// The operating system gave no randomness.
    #[error("cannot make a token")]
    Randomness(#[from] indelible_event::env::RandomnessError),
}

/// All tokens.
pub struct TokenBook {
    live: RwLock<HashMap<TokenHash, Arc<Identity>>>,
    file: Mutex<TokenFile>,
    randomness: Arc<dyn Randomness>,
}

impl fmt::Debug for TokenBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBook").finish_non_exhaustive()
    }
}

impl TokenBook {
    /// Opens or creates the file at `path` and loads the live tokens.
    ///
    /// # Errors
    /// [`TokenError`] when the file cannot be used.
    pub fn open(path: &Path, randomness: Arc<dyn Randomness>) -> Result<Self, TokenError> {
        let file = TokenFile::open(path)?;
        let live = file
            .rows()?
            .into_iter()
            .filter(|(row, _)| row.revoked.is_none())
            .map(|(row, hash)| (hash, Arc::new(identity(&row))))
            .collect();
        Ok(Self { live: RwLock::new(live), file: Mutex::new(file), randomness })
    }

    /// Finds who presents a token. Memory only: one SHA-256 and one look-up.
    ///
    /// # Errors
    /// [`Refusal`] when the token opens nothing.
    pub fn authenticate(&self, presented: &[u8], now: i64) -> Result<Arc<Identity>, Refusal> {
        if presented.len() > TOKEN_TEXT_BYTES_MAX {
            return Err(Refusal::Unknown);
        }
        self.authenticate_hash(&TokenHash::of(presented), now)
    }

    /// As [`TokenBook::authenticate`], for a token that was presented before.
    ///
    /// # Errors
    /// [`Refusal`] when the token opens nothing any more.
    pub fn authenticate_hash(&self, hash: &TokenHash, now: i64) -> Result<Arc<Identity>, Refusal> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let identity = live.get(hash).ok_or(Refusal::Unknown)?;
        if identity.expires.is_some_and(|expires| now >= expires) {
            return Err(Refusal::Expired { name: identity.name.to_string() });
        }
        if identity.used.load(Ordering::Relaxed) < now {
            identity.used.store(now, Ordering::Relaxed);
        }
        Ok(Arc::clone(identity))
    }

    /// The admin token of this start: the one the operator chose if it is not live yet, otherwise a new random one if no
    /// admin token is live, otherwise nothing to do.
    ///
    /// # Errors
    /// [`TokenError::ChosenWasRevoked`], or that of the file.
    pub fn mint_admin(&self, chosen: Option<&TokenText>, now: i64) -> Result<Option<Minted>, TokenError> {
        let rows = self.file().rows()?;
        let admin = NewToken {
            name: TokenName::new(ADMIN_NAME)?,
            role: Role::Admin,
            holder: Holder::default(),
            logs: None,
            expires: None,
        };
        let Some(chosen) = chosen else {
            if rows.iter().any(|(row, _)| row.role == Role::Admin && row.is_live(now)) {
                return Ok(None);
            }
            return self.mint(admin, now).map(Some);
        };
        let hash = chosen.hash();
        if let Some((row, _)) = rows.iter().find(|(_, known)| *known == hash) {
            return if row.revoked.is_some() { Err(TokenError::ChosenWasRevoked) } else { Ok(None) };
        }
        // Whoever sets the server's environment owns the server: a new value takes the place of the former one.
        let replaces = rows.iter().find(|(row, _)| row.name == admin.name && row.revoked.is_none());
        let replaces = replaces.map(|(row, _)| row.id.clone());
        let row = TokenRow { from_environment: true, ..self.row(admin, now)? };
        Ok(Some(Minted { row, text: None, hash, replaces }))
    }

    /// Makes a token, which opens nothing until it is kept.
    ///
    /// # Errors
    /// [`TokenError::NameTaken`], [`TokenError::Full`], or that of the file.
    pub fn mint(&self, new: NewToken, now: i64) -> Result<Minted, TokenError> {
        let rows = self.file().rows()?;
        if rows.len() >= TOKENS_MAX {
            return Err(TokenError::Full);
        }
        if rows.iter().any(|(row, _)| row.revoked.is_none() && row.name == new.name) {
            return Err(TokenError::NameTaken { name: new.name.to_string() });
        }
        let text = TokenText::random(new.role, &*self.randomness)?;
        Ok(Minted { row: self.row(new, now)?, hash: text.hash(), text: Some(text), replaces: None })
    }

    /// Makes a minted token live: in the file, then in memory.
    ///
    /// # Errors
    /// [`TokenError::NameTaken`] when another one was quicker, or that of the file; the token then opens nothing.
    pub fn keep(&self, minted: Minted) -> Result<(TokenRow, Option<TokenText>), TokenError> {
        let file = self.file();
        if let Some(former) = &minted.replaces {
            file.revoke(former, minted.row.created)?;
            self.forget(former);
        }
        file.insert(&minted.row, &minted.hash)?;
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.insert(minted.hash, Arc::new(identity(&minted.row)));
        Ok((minted.row, minted.text))
    }

    /// Every token, revoked ones too, oldest first.
    ///
    /// # Errors
    /// That of the file.
    pub fn list(&self) -> Result<Vec<TokenRow>, TokenError> {
        let mut rows: Vec<_> = self.file().rows()?.into_iter().map(|(row, _)| row).collect();
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let used: HashMap<&str, i64> = live.values().map(|one| (one.id.as_str(), one.last_used())).collect();
        for row in &mut rows {
            row.used = row.used.max(used.get(row.id.as_str()).copied().unwrap_or(0));
        }
        Ok(rows)
    }

    /// Revokes a live token: it opens nothing from when this returns.
    ///
    /// # Errors
    /// [`TokenError::NotFound`], [`TokenError::LastAdmin`], or that of the file.
    pub fn revoke(&self, id: &str, now: i64) -> Result<TokenRow, TokenError> {
        let file = self.file();
        let rows = file.rows()?;
        let found = rows.iter().find(|(row, _)| row.id == id && row.revoked.is_none());
        let Some((row, _)) = found else { return Err(TokenError::NotFound { id: id.to_owned() }) };
        let other_admin =
            rows.iter().any(|(other, _)| other.role == Role::Admin && other.id != id && other.is_live(now));
        if row.role == Role::Admin && !other_admin {
            return Err(TokenError::LastAdmin { name: row.name.to_string() });
        }
        file.revoke(id, now)?;
        self.forget(id);
        Ok(TokenRow { revoked: Some(now), ..row.clone() })
    }

    /// Writes when tokens were last used. Called now and then, never by a request.
    ///
    /// # Errors
    /// That of the file; nothing but the date of last use is lost.
    pub fn save_used(&self) -> Result<(), TokenError> {
        let used: Vec<(String, i64)> = {
            let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
            live.values().filter(|one| one.last_used() > 0).map(|one| (one.id.clone(), one.last_used())).collect()
        };
        self.file().save_used(&used)
    }

    fn forget(&self, id: &str) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, identity| identity.id != id);
    }

    fn row(&self, new: NewToken, now: i64) -> Result<TokenRow, TokenError> {
        let mut bytes = [0u8; 8];
        self.randomness.fill(&mut bytes)?;
        Ok(TokenRow {
            id: format!("tok_{}", hex(&bytes)),
            name: new.name,
            role: new.role,
            holder: new.holder,
            logs: new.logs,
            created: now,
            expires: new.expires,
            revoked: None,
            used: 0,
            from_environment: false,
        })
    }

    fn file(&self) -> MutexGuard<'_, TokenFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(row: &TokenRow) -> Identity {
    Identity {
        id: row.id.clone(),
        name: row.name.clone(),
        role: row.role,
        holder: row.holder.clone(),
        logs: row.logs.clone(),
        expires: row.expires,
        used: AtomicI64::new(row.used),
    }
}

#[cfg(test)]
mod tests;
