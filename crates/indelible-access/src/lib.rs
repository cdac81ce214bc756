//! Who may: identities, tokens and roles.
