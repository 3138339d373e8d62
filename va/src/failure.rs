//! How a validation ends badly: the challenge fails, or we do.

use cairn_core::{Error, Problem, ProblemType};

/// Why a validation did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The subscriber's side is to blame: the challenge becomes `invalid` with this problem.
    Challenge(Problem),
    /// Our side is to blame, and the challenge says nothing about the subscriber.
    Ours(Error),
}

impl Failure {
    /// A failed challenge.
    pub(crate) fn challenge(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self::Challenge(Problem::new(kind, detail))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Whether a socket could not be had because this process or machine has no file descriptors left. The subscriber must not be
/// blamed for that.
pub(crate) fn out_of_descriptors(error: &std::io::Error) -> bool {
    // std has no ErrorKind for them; the numbers are the same on every Unix.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

/// What becomes of a validation when [`out_of_descriptors`].
pub(crate) fn unavailable(source: std::io::Error) -> Failure {
    let detail = "The server is too busy to validate challenges; try again later.";
    Failure::Ours(Error::new(cairn_core::ErrorKind::Unavailable, detail).with_source(source))
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Challenge(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn only_the_lack_of_descriptors_is_our_fault() {
        assert!(out_of_descriptors(&io::Error::from_raw_os_error(24)));
        assert!(!out_of_descriptors(&io::ErrorKind::ConnectionRefused.into()));
        let Failure::Ours(error) = unavailable(io::Error::from_raw_os_error(24)) else {
            panic!("blamed another")
        };
        assert_eq!(error.kind, cairn_core::ErrorKind::Unavailable);
    }
}
