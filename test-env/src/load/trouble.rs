//! What clients have to put up with when something behind a server goes away. Counted, so that stories can say how much is too much.

use std::fmt;
use std::ops::{AddAssign, Sub};

/// How often a client was not given what it asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Requests that the server refused for now: 503, to come back later.
    pub refused: u64,
    /// Orders that the server failed by its own fault.
    pub failed: u64,
    /// Requests without an answer: the connection ended, or there was none.
    pub unanswered: u64,
    /// Orders that the server failed because the DNS of their names was silent.
    pub unresolved: u64,
}

impl Trouble {
    /// None.
    pub const NONE: Self = Self { refused: 0, failed: 0, unanswered: 0, unresolved: 0 };
    pub(super) const REFUSED: Self = Self { refused: 1, ..Self::NONE };
    pub(super) const FAILED: Self = Self { failed: 1, ..Self::NONE };
    pub(super) const UNANSWERED: Self = Self { unanswered: 1, ..Self::NONE };
    pub(super) const UNRESOLVED: Self = Self { unresolved: 1, ..Self::NONE };

    /// Whether there is no more of any kind than in `most`.
    #[must_use]
    pub const fn is_within(self, most: Self) -> bool {
        self.refused <= most.refused
            && self.failed <= most.failed
            && self.unanswered <= most.unanswered
            && self.unresolved <= most.unresolved
    }
}

impl AddAssign for Trouble {
    fn add_assign(&mut self, more: Self) {
        self.refused += more.refused;
        self.failed += more.failed;
        self.unanswered += more.unanswered;
        self.unresolved += more.unresolved;
    }
}

/// What came after an earlier count.
impl Sub for Trouble {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            refused: self.refused - before.refused,
            failed: self.failed - before.failed,
            unanswered: self.unanswered - before.unanswered,
            unresolved: self.unresolved - before.unresolved,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refused, failed, unanswered, unresolved } = self;
        write!(f, "{refused} requests refused, {unanswered} unanswered, {failed} orders failed")?;
        if *unresolved > 0 {
            write!(f, ", {unresolved} for want of a DNS")?;
        }
        Ok(())
    }
}
