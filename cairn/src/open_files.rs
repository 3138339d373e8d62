//! The limit of open files. Each client and each validation holds some, and the usual soft limit of 1024 is a relic of `select`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that is not allowed, the old one holds; then clients beyond it wait to be accepted.
pub fn raise_limit() {
    let hard = getrlimit(Resource::Nofile).maximum;
    let _kept = setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
