//! The promises of the book of tokens.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicU64;

use indelible_event::env::RandomnessError;
use tempfile::TempDir;

use super::*;

/// Counts up: every filling differs, and a test can be repeated.
struct Counting(AtomicU64);

impl Randomness for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = count[place % 8] ^ 0x5a;
        }
        Ok(())
    }
}

fn open(folder: &TempDir) -> TokenBook {
    static STARTS: AtomicU64 = AtomicU64::new(0);
    let start = STARTS.fetch_add(1_000, Ordering::Relaxed);
    TokenBook::open(&folder.path().join("state.sqlite"), Arc::new(Counting(AtomicU64::new(start)))).unwrap()
}

fn new(name: &str, role: Role) -> NewToken {
    NewToken { name: TokenName::new(name).unwrap(), role, holder: Holder::default(), logs: None, expires: None }
}

fn make(book: &TokenBook, new: NewToken) -> (TokenRow, String) {
    let (row, text) = book.keep(book.mint(new, 100).unwrap()).unwrap();
    (row, text.unwrap().reveal().to_owned())
}

#[test]
fn a_token_opens_after_keep_and_after_a_restart_and_not_after_revoke() {
    let folder = TempDir::new().unwrap();
    let book = open(&folder);
    make(&book, new("root", Role::Admin));
    let minted =
        book.mint(NewToken { logs: Some(vec!["main".to_owned()]), ..new("agent", Role::Ingest) }, 100).unwrap();
    let text = minted.text.clone().unwrap();
    assert_eq!(book.authenticate(text.reveal().as_bytes(), 101).unwrap_err(), Refusal::Unknown);
    let (row, _) = book.keep(minted).unwrap();
    drop(book);

    let book = open(&folder);
    let identity = book.authenticate(text.reveal().as_bytes(), 102).unwrap();
    assert_eq!((identity.name.as_str(), identity.role), ("agent", Role::Ingest));
    assert!(identity.may_use_log("main") && !identity.may_use_log("other"));

    assert_eq!(book.revoke(&row.id, 103).unwrap().revoked, Some(103));
    assert_eq!(book.authenticate(text.reveal().as_bytes(), 104).unwrap_err(), Refusal::Unknown);
    assert!(matches!(book.revoke(&row.id, 105), Err(TokenError::NotFound { .. })));
    drop(book);
    assert_eq!(open(&folder).authenticate(text.reveal().as_bytes(), 106).unwrap_err(), Refusal::Unknown);
}

#[test]
fn the_file_holds_no_secret_and_is_readable_by_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let book = open(&folder);
    let (_, text) = make(&book, new("agent", Role::Read));
    let secret = text.strip_prefix("ind_r_").unwrap().to_owned();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", path.display());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn an_expired_token_is_told_so() {
    let folder = TempDir::new().unwrap();
    let book = open(&folder);
    let (_, text) = make(&book, NewToken { expires: Some(200), ..new("guest", Role::Read) });
    assert!(book.authenticate(text.as_bytes(), 199).is_ok());
    assert_eq!(book.authenticate(text.as_bytes(), 200).unwrap_err(), Refusal::Expired { name: "guest".to_owned() });
}

#[test]
fn names_are_unique_among_live_tokens_even_in_a_race() {
    let folder = TempDir::new().unwrap();
    let book = open(&folder);
    make(&book, new("root", Role::Admin));
    let slow = book.mint(new("agent", Role::Ingest), 100).unwrap();
    let (row, _) = make(&book, new("agent", Role::Ingest));
    assert!(matches!(book.keep(slow), Err(TokenError::NameTaken { .. })));
    assert!(matches!(book.mint(new("agent", Role::Read), 100), Err(TokenError::NameTaken { .. })));
    book.revoke(&row.id, 101).unwrap();
    make(&book, new("agent", Role::Read));
    assert_eq!(book.list().unwrap().len(), 3);
}

#[test]
fn the_first_start_makes_one_admin_token_and_later_ones_make_none() {
    let folder = TempDir::new().unwrap();
    let book = open(&folder);
    let minted = book.mint_admin(None, 1).unwrap().unwrap();
    let (row, text) = book.keep(minted).unwrap();
    assert_eq!((row.name.as_str(), row.role), ("admin", Role::Admin));
    assert!(text.is_some());
    drop(book);
    let book = open(&folder);
    assert!(book.mint_admin(None, 2).unwrap().is_none());
    assert!(matches!(book.revoke(&row.id, 3), Err(TokenError::LastAdmin { .. })));
}

#[test]
fn a_chosen_admin_token_is_taken_and_a_new_choice_takes_its_place() {
    let folder = TempDir::new().unwrap();
    let book = open(&folder);
    let first = TokenText::chosen("first-choice").unwrap();
    let second = TokenText::chosen("second-choice").unwrap();
    assert!(book.keep(book.mint_admin(Some(&first), 1).unwrap().unwrap()).unwrap().1.is_none());
    assert!(book.mint_admin(Some(&first), 2).unwrap().is_none());
    assert!(book.authenticate(b"first-choice", 2).is_ok());
    book.keep(book.mint_admin(Some(&second), 3).unwrap().unwrap()).unwrap();
    assert_eq!(book.authenticate(b"first-choice", 4).unwrap_err(), Refusal::Unknown);
    assert!(book.authenticate(b"second-choice", 4).is_ok());
    assert!(matches!(book.mint_admin(Some(&first), 5), Err(TokenError::ChosenWasRevoked)));
}

#[test]
fn the_date_of_last_use_is_kept() {
    let folder = TempDir::new().unwrap();
    let book = open(&folder);
    let (_, text) = make(&book, new("agent", Role::Read));
    book.authenticate(text.as_bytes(), 500).unwrap();
    book.save_used().unwrap();
    drop(book);
    assert_eq!(open(&folder).list().unwrap()[0].used, 500);
}

#[test]
fn a_file_of_another_layout_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder));
    let path = folder.path().join("state.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch("pragma user_version = 9").unwrap();
    let error = TokenBook::open(&path, Arc::new(Counting(AtomicU64::new(0)))).unwrap_err();
    assert!(matches!(error, TokenError::Layout { found: 9, .. }), "{error}");
}
