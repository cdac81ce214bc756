//! Which fault comes when: one operation, one fault, one seed.

/// What kind of operation a call is. Says which faults can hit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes are read back.
    Read,
    /// Something else is asked: names, a length, the room left.
    Ask,
    /// Bytes are written.
    Write,
    /// Files, folders or lengths are changed.
    Change,
    /// Something is made durable.
    Sync,
}

/// What goes wrong at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// It is not done, and reported failed.
    Fail,
    /// It is done, and reported failed.
    FailDone,
    /// The process dies before it. What was written and not synced is still in the operating system.
    CrashBefore,
    /// The process dies after it.
    CrashAfter,
    /// The process dies in the middle of a write: a beginning of it was written.
    CrashWithin,
    /// Power fails at it; of every unsynced write some 512-byte sectors survive, or a beginning that ends anywhere.
    Torn,
    /// Power fails at it; nothing unsynced survives.
    Lost,
    /// Power fails at it; any of the unsynced writes and folder entries survive, in whatever order they were made.
    Reordered,
    /// One bit of what is read is flipped.
    FlippedBit,
    /// There is no room for it. There is again for the next one.
    NoSpace,
    /// A beginning of a write is done, and the rest reported failed or without room.
    ShortWrite,
    /// A sync fails. Some of what it was to make durable is, the rest never will be, though reads go on showing it.
    FailedSync,
}

/// All faults.
pub const FAULTS: [Fault; 12] = [
    Fault::Fail,
    Fault::FailDone,
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::CrashWithin,
    Fault::Torn,
    Fault::Lost,
    Fault::Reordered,
    Fault::FlippedBit,
    Fault::NoSpace,
    Fault::ShortWrite,
    Fault::FailedSync,
];

impl Fault {
    /// Whether this fault can hit an operation of that kind.
    #[must_use]
    pub fn can_hit(self, kind: Kind) -> bool {
        match self {
            Self::Fail | Self::CrashBefore | Self::CrashAfter => true,
            Self::Torn | Self::Lost | Self::Reordered => !matches!(kind, Kind::Read | Kind::Ask),
            Self::FailDone => matches!(kind, Kind::Write | Kind::Change | Kind::Sync),
            Self::CrashWithin | Self::ShortWrite => kind == Kind::Write,
            Self::FlippedBit => kind == Kind::Read,
            Self::NoSpace => matches!(kind, Kind::Write | Kind::Change),
            Self::FailedSync => kind == Kind::Sync,
        }
    }

    /// What survives when this fault takes the power away; `None` when it does not.
    #[must_use]
    pub fn survivors(self) -> Option<Survivors> {
        match self {
            Self::Torn => Some(Survivors::Sectors),
            Self::Lost => Some(Survivors::Nothing),
            Self::Reordered => Some(Survivors::Any),
            _ => None,
        }
    }
}

/// What of the unsynced changes a power failure leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// None of them.
    Nothing,
    /// Any of them, whole.
    Any,
    /// Any of them, and of each write any of its sectors or a beginning.
    Sectors,
}

/// One fault at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// The number of the operation, from 0 since the disk was made.
    pub at: u64,
    /// What goes wrong.
    pub fault: Fault,
    /// Chooses what survives, which bit flips, where a write ends.
    pub seed: u64,
}
