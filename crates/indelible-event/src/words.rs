//! The closed sets of an event: words that mean the same in every log.

macro_rules! closed_set {
    ($(#[$doc:meta])* $set:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $set { $($(#[$word_doc])* $word,)* }

        impl $set {
            /// All of them.
            pub const ALL: &'static [$set] = &[$($set::$word,)*];
            /// Their text forms, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($text,)*];

            /// The text form.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($set::$word => $text,)* }
            }

            /// Reads the text form.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($set::$word),)* _ => None }
            }
        }
    };
}

closed_set! {
    /// What was done (`action`).
    Action {
        /// Looked at.
        Read = "read",
        /// Created.
        Write = "write",
        /// Changed.
        Modify = "modify",
        /// Removed.
        Delete = "delete",
        /// Ran.
        Execute = "execute",
        /// Asked a model.
        Infer = "infer",
        /// Trained or tuned a model.
        Train = "train",
        /// Took out of the system.
        Export = "export",
        /// Gave to others.
        Share = "share",
        /// Agreed to.
        Approve = "approve",
        /// Gave a right.
        Grant = "grant",
        /// Took a right away.
        Revoke = "revoke",
        /// Proved who it is.
        Login = "login",
        /// Ended a session.
        Logout = "logout",
        /// Changed how a system works.
        Configure = "configure",
    }
}

closed_set! {
    /// What kind of actor (`actor.type`).
    ActorType {
        /// A person.
        Human = "human",
        /// A program with an identity of its own.
        Service = "service",
        /// A program that decides by a model.
        Agent = "agent",
        /// The system itself.
        System = "system",
        /// Nobody known.
        Anonymous = "anonymous",
    }
}

closed_set! {
    /// How it ended (`outcome.result`).
    OutcomeResult {
        /// It was let through and done.
        Allowed = "allowed",
        /// A rule forbade it.
        Denied = "denied",
        /// It was let through and went wrong.
        Failed = "failed",
    }
}

closed_set! {
    /// Which part of the access the event tells of (`outcome.phase`).
    OutcomePhase {
        /// About to happen.
        Intent = "intent",
        /// How it ended; `outcome.request` names the intent.
        Outcome = "outcome",
        /// Both in one.
        Single = "single",
    }
}
