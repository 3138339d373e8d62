//! CA certificates: what chains are made of.

use cairn_core::certificate::{CaCertificate, MAX_CA_CERTIFICATES};

use super::query::{Db, statements};
use super::rows;
use super::values::{Row, arguments};
use crate::error::DbError;
use crate::rows::{CaCertificateRow, sha256};

statements! {
    LATEST = "SELECT der, subject_key_id, at FROM ca_certificates WHERE at <= $1 ORDER BY at DESC LIMIT $2";
    /// One at a time: they are few, and hardly ever new.
    RECORD = "INSERT INTO ca_certificates (sha256, subject_key_id, der, at) VALUES ($1, $2, $3, $4) \
              ON CONFLICT (sha256) DO NOTHING RETURNING 1";
}

fn certificate(row: &Row) -> Result<CaCertificate, DbError> {
    let row = CaCertificateRow { der: row.try_get(0)?, subject_key_id: row.try_get(1)?, at: row.try_get(2)? };
    Ok(row.into())
}

pub(super) async fn latest(db: &Db) -> Result<Vec<CaCertificate>, DbError> {
    let found = db.find(LATEST, arguments!(i64::MAX, rows(MAX_CA_CERTIFICATES))).await?;
    found.iter().map(certificate).collect()
}

pub(super) async fn record(db: &Db, certificates: &[CaCertificate]) -> Result<(), DbError> {
    for certificate in certificates {
        let values = arguments!(
            sha256(&certificate.der),
            certificate.subject.as_ref().map(|id| *id.as_bytes()),
            &certificate.der,
            certificate.at.unix(),
        );
        db.change(RECORD, values).await?;
    }
    Ok(())
}
