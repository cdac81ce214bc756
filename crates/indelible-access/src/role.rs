//! Roles and what each may do: one table. Never: an `if role == …` anywhere else.

use std::fmt;

/// What a token is for. Chosen when it is made, and never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything, tokens included.
    Admin,
    /// Records events, and reads nothing that others recorded.
    Ingest,
    /// Finds, exports and proves; records nothing.
    Read,
    /// Calls models and tools through gateways, and nothing else: the token that an application or agent gets.
    Gateway,
    /// Sees which calls wait for an approval, and decides; nothing else.
    Approver,
    /// Looks after alerts: sees, takes, closes and silences them, looks at what is behind them, and halts what must be halted.
    Responder,
}

impl Role {
    /// Every role, in the order of the table below.
    pub const ALL: [Self; 6] = [Self::Admin, Self::Ingest, Self::Read, Self::Gateway, Self::Approver, Self::Responder];

    /// The word for it in the API, in files and in events.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Gateway => "gateway",
            Self::Approver => "approver",
            Self::Responder => "responder",
        }
    }

    /// The letter in a token's text (`ind_a_…`), so that a person sees what a token is for.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Admin => 'a',
            Self::Ingest => 'i',
            Self::Read => 'r',
            Self::Gateway => 'g',
            Self::Approver => 'p',
            Self::Responder => 's',
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// Whether this role may do `action`.
    #[must_use]
    pub fn may(self, action: Action) -> bool {
        let (_, admin, ingest, read, gateway, approver, responder) = TABLE[action as usize];
        match self {
            Self::Admin => admin,
            Self::Ingest => ingest,
            Self::Read => read,
            Self::Gateway => gateway,
            Self::Approver => approver,
            Self::Responder => responder,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Something a request asks for. Each route of the API has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Record events.
    Record,
    /// See which logs there are, their origins, keys and sizes.
    DescribeLogs,
    /// Find events, follow them, count them.
    Search,
    /// Run read-only SQL.
    Sql,
    /// Export events in bulk.
    Export,
    /// Read one entry or its proof.
    ReadEntry,
    /// Read the published log: checkpoint, tiles, bundles, key.
    ReadPublished,
    /// See which tokens there are.
    ListTokens,
    /// Make and revoke tokens.
    ChangeTokens,
    /// Call a model or tool through a gateway.
    UseGateway,
    /// See sealed content.
    Unseal,
    /// Erase sealed content.
    Forget,
    /// See which calls wait for an approval, and decide.
    Approve,
    /// Halt routes, actors, models and tools, and resume them.
    Halt,
    /// See alerts, silences, rules and how receivers do.
    ReadAlerts,
    /// Take, close and silence alerts; try receivers.
    HandleAlerts,
}

impl Action {
    /// Every action, in the order of the table below.
    pub const ALL: [Self; 16] = [
        Self::Record,
        Self::DescribeLogs,
        Self::Search,
        Self::Sql,
        Self::Export,
        Self::ReadEntry,
        Self::ReadPublished,
        Self::ListTokens,
        Self::ChangeTokens,
        Self::UseGateway,
        Self::Unseal,
        Self::Forget,
        Self::Approve,
        Self::Halt,
        Self::ReadAlerts,
        Self::HandleAlerts,
    ];

    /// The word for it in messages and in the golden table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::DescribeLogs => "describe-logs",
            Self::Search => "search",
            Self::Sql => "sql",
            Self::Export => "export",
            Self::ReadEntry => "read-entry",
            Self::ReadPublished => "read-published",
            Self::ListTokens => "list-tokens",
            Self::ChangeTokens => "change-tokens",
            Self::UseGateway => "use-gateway",
            Self::Unseal => "unseal",
            Self::Forget => "forget",
            Self::Approve => "approve",
            Self::Halt => "halt",
            Self::ReadAlerts => "read-alerts",
            Self::HandleAlerts => "handle-alerts",
        }
    }
}

/// The table: who may do what. One row an action, in the order of [`Action::ALL`] (a test compares them).
#[rustfmt::skip]
const TABLE: [(Action, bool, bool, bool, bool, bool, bool); 16] = [
    //                        admin  ingest read   gateway approver responder
    (Action::Record,          true,  true,  false, false,  false,    false),
    (Action::DescribeLogs,    true,  true,  true,  false,  false,    true),
    (Action::Search,          true,  false, true,  false,  false,    true),
    (Action::Sql,             true,  false, true,  false,  false,    true),
    (Action::Export,          true,  false, true,  false,  false,    false),
    (Action::ReadEntry,       true,  false, true,  false,  false,    true),
    (Action::ReadPublished,   true,  false, true,  false,  false,    true),
    (Action::ListTokens,      true,  false, false, false,  false,    false),
    (Action::ChangeTokens,    true,  false, false, false,  false,    false),
    (Action::UseGateway,      true,  true,  false, true,   false,    false),
    (Action::Unseal,          true,  false, false, false,  false,    false),
    (Action::Forget,          true,  false, false, false,  false,    false),
    (Action::Approve,         true,  false, false, false,  true,     false),
    (Action::Halt,            true,  false, false, false,  false,    true),
    (Action::ReadAlerts,      true,  false, true,  false,  false,    true),
    (Action::HandleAlerts,    true,  false, false, false,  false,    true),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_the_table_stands_at_its_action() {
        for (place, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(TABLE[place].0, action);
            assert_eq!(action as usize, place);
        }
    }

    #[test]
    fn what_each_role_may_do_is_as_agreed() {
        let may = |role: Role| {
            let words: Vec<_> = Action::ALL.into_iter().filter(|action| role.may(*action)).map(Action::word).collect();
            format!("{role}: {}", words.join(" "))
        };
        assert_eq!(
            Role::ALL.map(may),
            [
                "admin: record describe-logs search sql export read-entry read-published list-tokens change-tokens \
                 use-gateway unseal forget approve halt read-alerts handle-alerts",
                "ingest: record describe-logs use-gateway",
                "read: describe-logs search sql export read-entry read-published read-alerts",
                "gateway: use-gateway",
                "approver: approve",
                "responder: describe-logs search sql read-entry read-published halt read-alerts handle-alerts",
            ]
        );
    }

    #[test]
    fn words_round_trip() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.word()), Some(role));
        }
        assert_eq!(Role::parse("Admin"), None);
    }
}
