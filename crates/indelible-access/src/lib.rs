//! Who may: identities, tokens and roles.
//!
//! Promises: a token is 256 random bits, shown once and kept only as its SHA-256; what a role may do stands in one table;
//! the look-up of a request's token touches memory only and takes no time that depends on stored secrets; a token that was
//! revoked or has expired opens nothing from then on. Never: knows HTTP, a log, or the store; writes a secret anywhere.
//!
//! Reading order: what a role may do, a token's text and hash, who holds and presents it, the book of tokens and its file; sessions and
//! sign-in by a provider's word; then the door that gateways ask.

pub mod role;
pub mod token;

pub mod holder;
pub mod identity;

pub mod book;
mod file;
pub mod searches;
pub mod session;

pub mod oidc;

pub mod budget;
pub mod halt;
pub mod hold;
pub mod policy;

pub mod door;

pub use file::ConnectError;

pub use book::{Minted, NewToken, TokenBook, TokenError, TokenRow};
pub use holder::{Holder, HolderError};
pub use identity::{Identity, Refusal, TokenName};
pub use role::{Action, Role};
pub use token::{TokenHash, TokenText};
