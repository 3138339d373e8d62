//! What a certificate authority stands on: its issuers, and the CA certificates of which their chains are made.

use std::fmt;
use std::sync::Arc;

use cairn_x509::Certificate;

use crate::choice::Terms;
use crate::issuer::Issuer;
use crate::metrics::Handles;

/// The issuers, and all CA certificates that are known besides theirs.
#[derive(Clone, Debug, Default)]
pub struct Hierarchy {
    /// Those to issue from; which one does is decided for each certificate. Of equals, the first.
    pub issuers: Vec<Arc<Issuer>>,
    /// Roots, cross-certificates and others, in any order; those of the issuers may be among them.
    pub authorities: Vec<Certificate>,
}

impl From<Issuer> for Hierarchy {
    fn from(issuer: Issuer) -> Self {
        Self { issuers: vec![Arc::new(issuer)], authorities: Vec::new() }
    }
}

/// A hierarchy as it is used.
pub(crate) struct InUse {
    pub(crate) issuers: Vec<Ready>,
}

/// An issuer with its counters.
pub(crate) struct Ready {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) metrics: Handles,
}

impl InUse {
    pub(crate) fn new<'a>(hierarchy: Hierarchy, profiles: impl Iterator<Item = &'a String> + Clone) -> Self {
        let ready = |issuer: Arc<Issuer>| {
            let metrics = Handles::new(&issuer, profiles.clone());
            Ready { issuer, metrics }
        };
        Self { issuers: hierarchy.issuers.into_iter().map(ready).collect() }
    }
}

impl AsRef<Terms> for Ready {
    fn as_ref(&self) -> &Terms {
        self.issuer.terms()
    }
}

impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.issuers.iter().map(|ready| &ready.issuer)).finish()
    }
}
