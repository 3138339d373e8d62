//! CA certificates: what chains are made of.

use cairn_core::certificate::{CaCertificate, MAX_CA_CERTIFICATES};
use rusqlite::{Connection, Row, params};

use super::query::{self, statements};
use super::rows;
use crate::error::DbError;
use crate::rows::{CaCertificateRow, sha256};

statements! {
    LATEST = "SELECT der, subject_key_id, at FROM ca_certificates WHERE at <= ?1 ORDER BY at DESC LIMIT ?2";
    RECORD = "INSERT INTO ca_certificates (sha256, subject_key_id, der, at) VALUES (?1, ?2, ?3, ?4) \
              ON CONFLICT (sha256) DO NOTHING";
}

fn row(row: &Row<'_>) -> rusqlite::Result<CaCertificateRow> {
    Ok(CaCertificateRow { der: row.get(0)?, subject_key_id: row.get(1)?, at: row.get(2)? })
}

pub(super) fn latest(db: &Connection) -> Result<Vec<CaCertificate>, DbError> {
    let found = query::all(db, LATEST, params![i64::MAX, rows(MAX_CA_CERTIFICATES)], row)?;
    Ok(found.into_iter().map(CaCertificate::from).collect())
}

pub(super) fn record(db: &Connection, certificates: &[CaCertificate]) -> Result<(), DbError> {
    certificates.iter().try_for_each(|certificate| {
        let values = params![
            sha256(&certificate.der),
            certificate.subject.as_ref().map(|id| id.as_bytes()),
            certificate.der,
            certificate.at.unix(),
        ];
        query::change_any(db, RECORD, values)
    })
}
