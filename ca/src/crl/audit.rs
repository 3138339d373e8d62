//! What an auditor wants to find in the log of CRLs (Baseline Requirements §5.4.1).

use cairn_core::{CrlHead, CrlKind};

/// A CRL was signed and published.
pub(super) fn published(head: &CrlHead) {
    let CrlHead { id, this_update, next_update, base, position, entries, length, sha256 } = head;
    let sha256: String = sha256.iter().map(|octet| format!("{octet:02x}")).collect();
    tracing::info!(
        target: "audit",
        event = "crl.published",
        issuer = %id.shard.issuer,
        shard = %id.shard.shard,
        kind = match id.kind {
            CrlKind::Complete => "complete",
            CrlKind::Delta => "delta",
        },
        number = id.number,
        base,
        this_update = %this_update,
        next_update = %next_update,
        position = position.number(),
        entries,
        length,
        sha256,
    );
}
