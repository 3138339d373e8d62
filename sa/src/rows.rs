//! Rows and what they mean: the columns that every engine stores, and the core types made of them.
//!
//! A row is plain numbers, texts and bytes. Rows are made from core types on the caller's side, before SQLite's writer sees
//! the job, since the writer is the one thread that everybody waits for. What does not read back is an
//! [`Inconsistency`]: nothing is guessed.

use aws_lc_rs::digest::{Context, SHA256};
use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
use cairn_core::api::sa::{MAX_CERTIFICATE_STATUSES, NewOrder};
use cairn_core::certificate::MAX_CA_CERTIFICATES;
use cairn_core::{
    Account, AccountId, AccountStatus, Authorization, AuthorizationId, AuthorizationProgress, CaCertificate,
    CertificateId, CertificateRecord, CertificateStatus, CrlHead, CrlId, CrlKind, CrlShard, Identifier,
    IssuerId, Order, OrderId, OrderProgress, Revocation, RevocationReason, RevokedCertificate, Serial,
    ShardId, Timestamp, Token,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{DbError, Inconsistency};

mod incidents;

pub(crate) use incidents::{IncidentRow, entry_id, last_entry_id, octets_of};

/// How many pieces of CRLs are removed at once: a few megabytes, which SQLite's one writer gives back in milliseconds.
pub(crate) const REMOVED_CHUNKS: i64 = 16;

/// Octets in an id.
const ID: usize = 16;

/// How long the row of a worker is kept that is not heard of any more, in seconds. Without a row it counts as silent, which
/// it does already: so this need only be longer than any lease, and short enough that the rows stay few.
pub(crate) const WORKER_KEPT: i64 = 24 * 60 * 60;

/// A row of `accounts`; the thumbprint's column is the engine's index alone and follows from the key.
pub(crate) struct AccountRow {
    pub(crate) id: [u8; ID],
    pub(crate) jwk: String,
    pub(crate) contact: String,
    pub(crate) status: String,
    pub(crate) created: i64,
}

impl From<&Account> for AccountRow {
    fn from(account: &Account) -> Self {
        Self {
            id: *account.id.as_bytes(),
            jwk: json(&account.key),
            contact: json(&account.contact),
            status: account.status.as_str().to_owned(),
            created: account.created.unix(),
        }
    }
}

impl TryFrom<AccountRow> for Account {
    type Error = Inconsistency;

    fn try_from(row: AccountRow) -> Result<Self, Inconsistency> {
        let id = AccountId::from_bytes(row.id);
        let wrong = |column| Inconsistency::on("accounts", column).row(id);
        let statuses = [AccountStatus::Valid, AccountStatus::Deactivated, AccountStatus::Revoked];
        Ok(Self {
            id,
            key: from_json(&row.jwk).ok_or_else(|| wrong("jwk"))?,
            contact: from_json(&row.contact).ok_or_else(|| wrong("contact"))?,
            status: statuses
                .into_iter()
                .find(|status| status.as_str() == row.status)
                .ok_or_else(|| wrong("status"))?,
            created: Timestamp::from_unix(row.created),
        })
    }
}

/// A row of `orders`.
pub(crate) struct OrderRow {
    pub(crate) id: [u8; ID],
    pub(crate) account_id: [u8; ID],
    pub(crate) identifiers: String,
    pub(crate) authorization_ids: Vec<u8>,
    pub(crate) profile: String,
    pub(crate) created: i64,
    pub(crate) expires: i64,
    pub(crate) status: String,
    pub(crate) processing_since: Option<i64>,
    pub(crate) serial: Option<Vec<u8>>,
    pub(crate) problem: Option<String>,
    pub(crate) replaces: Option<Vec<u8>>,
}

impl From<&Order> for OrderRow {
    fn from(order: &Order) -> Self {
        let mut row = Self {
            id: *order.id.as_bytes(),
            account_id: *order.account.as_bytes(),
            identifiers: json(&order.identifiers.iter().map(identifier_text).collect::<Vec<_>>()),
            authorization_ids: order.authorizations.iter().flat_map(|id| *id.as_bytes()).collect(),
            profile: order.profile.clone(),
            created: order.created.unix(),
            expires: order.expires.unix(),
            status: String::new(),
            processing_since: None,
            serial: None,
            problem: None,
            replaces: order.replaces.as_ref().map(certificate_id_octets),
        };
        let status = match &order.progress {
            OrderProgress::Open => "open",
            OrderProgress::Processing { since } => {
                row.processing_since = Some(since.unix());
                "processing"
            }
            OrderProgress::Issued { serial } => {
                row.serial = Some(serial.as_bytes().to_vec());
                "issued"
            }
            OrderProgress::Failed { problem } => {
                row.problem = Some(json(problem));
                "failed"
            }
        };
        status.clone_into(&mut row.status);
        row
    }
}

impl TryFrom<OrderRow> for Order {
    type Error = Inconsistency;

    fn try_from(row: OrderRow) -> Result<Self, Inconsistency> {
        let id = OrderId::from_bytes(row.id);
        let wrong = |column| Inconsistency::on("orders", column).row(id);
        let identifiers: Vec<String> = from_json(&row.identifiers).ok_or_else(|| wrong("identifiers"))?;
        let identifiers = identifiers.iter().map(|text| identifier(text)).collect::<Option<Vec<_>>>();
        let progress = match row.status.as_str() {
            "open" => Some(OrderProgress::Open),
            "processing" => row
                .processing_since
                .map(|since| OrderProgress::Processing { since: Timestamp::from_unix(since) }),
            "issued" => row
                .serial
                .and_then(|serial| Serial::from_bytes(&serial))
                .map(|serial| OrderProgress::Issued { serial }),
            "failed" => {
                row.problem.and_then(|text| from_json(&text)).map(|problem| OrderProgress::Failed { problem })
            }
            _ => None,
        };
        Ok(Self {
            id,
            account: AccountId::from_bytes(row.account_id),
            identifiers: identifiers.ok_or_else(|| wrong("identifiers"))?,
            authorizations: authorization_ids(&row.authorization_ids)
                .ok_or_else(|| wrong("authorization_ids"))?,
            profile: row.profile,
            created: Timestamp::from_unix(row.created),
            expires: Timestamp::from_unix(row.expires),
            progress: progress.ok_or_else(|| wrong("status"))?,
            replaces: match row.replaces {
                None => None,
                Some(octets) => Some(certificate_id(&octets).ok_or_else(|| wrong("replaces"))?),
            },
        })
    }
}

/// A certificate's id in a column: the issuer's key identifier, and the serial behind it.
fn certificate_id_octets(id: &CertificateId) -> Vec<u8> {
    [id.issuer.as_bytes(), id.serial.as_bytes()].concat()
}

fn certificate_id(octets: &[u8]) -> Option<CertificateId> {
    let (issuer, serial) = octets.split_first_chunk()?;
    Some(CertificateId { issuer: IssuerId::from_bytes(*issuer), serial: Serial::from_bytes(serial)? })
}

/// A new order with its new authorizations, as they are stored.
pub(crate) struct NewOrderRows {
    /// The order.
    pub(crate) order: OrderRow,
    /// The key by which an open order for the same is found.
    pub(crate) request_hash: [u8; 16],
    /// Its new authorizations.
    pub(crate) authorizations: Vec<AuthorizationRow>,
    /// The serial of the certificate to claim for it.
    pub(crate) claims: Option<Vec<u8>>,
}

impl From<&NewOrder> for NewOrderRows {
    fn from(new: &NewOrder) -> Self {
        Self {
            order: OrderRow::from(&new.order),
            request_hash: request_hash(&new.order.profile, &new.order.identifiers),
            authorizations: new.new_authorizations.iter().map(AuthorizationRow::from).collect(),
            claims: new.order.replaces.as_ref().map(|id| id.serial.as_bytes().to_vec()),
        }
    }
}

impl NewOrderRows {
    /// The order's authorizations, in the order of its identifiers.
    pub(crate) fn authorization_ids(&self) -> Result<Vec<[u8; ID]>, Inconsistency> {
        let wrong =
            || Inconsistency::on("orders", "authorization_ids").row(OrderId::from_bytes(self.order.id));
        let ids = authorization_ids(&self.order.authorization_ids).ok_or_else(wrong)?;
        Ok(ids.iter().map(|id| *id.as_bytes()).collect())
    }

    /// Those of them that must exist already, each once.
    pub(crate) fn existing_authorizations(&self) -> Result<Vec<[u8; ID]>, Inconsistency> {
        let mut ids = self.authorization_ids()?;
        ids.retain(|id| self.authorizations.iter().all(|new| new.id != *id));
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

/// The list of ids in a column that holds them end to end.
pub(crate) fn authorization_ids(bytes: &[u8]) -> Option<Vec<AuthorizationId>> {
    let (ids, rest) = bytes.as_chunks::<ID>();
    rest.is_empty().then(|| ids.iter().map(|id| AuthorizationId::from_bytes(*id)).collect())
}

/// What two orders have in common that ask for the same: a key for an index, short and of one length whatever the
/// number of names. Whoever finds a row by it compares the row itself.
pub(crate) fn request_hash(profile: &str, identifiers: &[Identifier]) -> [u8; 16] {
    let mut hash = Context::new(&SHA256);
    hash.update(profile.as_bytes());
    for identifier in identifiers {
        // A separator that can stand in no identifier, so that two lists never run together to the same bytes.
        hash.update(b"\n");
        hash.update(identifier_text(identifier).as_bytes());
    }
    let mut key = [0; 16];
    key.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    key
}

/// A row of `authorizations`.
pub(crate) struct AuthorizationRow {
    pub(crate) id: [u8; ID],
    pub(crate) account_id: [u8; ID],
    pub(crate) identifier: String,
    pub(crate) wildcard: bool,
    pub(crate) created: i64,
    pub(crate) expires: i64,
    pub(crate) token: [u8; 32],
    pub(crate) challenges: String,
    pub(crate) progress: ProgressColumns,
}

/// The columns of `authorizations` that change with its progress.
pub(crate) struct ProgressColumns {
    pub(crate) status: String,
    pub(crate) challenge: Option<String>,
    pub(crate) at: Option<i64>,
    pub(crate) records: Option<String>,
    pub(crate) problem: Option<String>,
}

impl From<&Authorization> for AuthorizationRow {
    fn from(authorization: &Authorization) -> Self {
        Self {
            id: *authorization.id.as_bytes(),
            account_id: *authorization.account.as_bytes(),
            identifier: identifier_text(&authorization.identifier),
            wildcard: authorization.wildcard,
            created: authorization.created.unix(),
            expires: authorization.expires.unix(),
            token: *authorization.token.as_bytes(),
            challenges: json(&authorization.challenges),
            progress: ProgressColumns::from(&authorization.progress),
        }
    }
}

impl From<&AuthorizationProgress> for ProgressColumns {
    fn from(progress: &AuthorizationProgress) -> Self {
        let (status, challenge, at) = match progress {
            AuthorizationProgress::Pending => ("pending", None, None),
            AuthorizationProgress::Validating { challenge, since } => {
                ("validating", Some(challenge), Some(since))
            }
            AuthorizationProgress::Valid { challenge, at, .. } => ("valid", Some(challenge), Some(at)),
            AuthorizationProgress::Invalid { challenge, at, .. } => ("invalid", Some(challenge), Some(at)),
            AuthorizationProgress::Deactivated { at } => ("deactivated", None, Some(at)),
        };
        let (records, problem) = match progress {
            AuthorizationProgress::Valid { records, .. } => (Some(json(records)), None),
            AuthorizationProgress::Invalid { records, problem, .. } => {
                (Some(json(records)), Some(json(problem)))
            }
            _ => (None, None),
        };
        Self {
            status: status.to_owned(),
            challenge: challenge.map(|challenge| challenge.as_str().to_owned()),
            at: at.map(|at| at.unix()),
            records,
            problem,
        }
    }
}

impl TryFrom<AuthorizationRow> for Authorization {
    type Error = Inconsistency;

    fn try_from(row: AuthorizationRow) -> Result<Self, Inconsistency> {
        let id = AuthorizationId::from_bytes(row.id);
        let wrong = |column| Inconsistency::on("authorizations", column).row(id);
        Ok(Self {
            id,
            account: AccountId::from_bytes(row.account_id),
            identifier: identifier(&row.identifier).ok_or_else(|| wrong("identifier"))?,
            wildcard: row.wildcard,
            created: Timestamp::from_unix(row.created),
            expires: Timestamp::from_unix(row.expires),
            token: Token::from_bytes(row.token),
            challenges: from_json(&row.challenges).ok_or_else(|| wrong("challenges"))?,
            progress: row.progress.progress().ok_or_else(|| wrong("status"))?,
        })
    }
}

impl ProgressColumns {
    fn progress(self) -> Option<AuthorizationProgress> {
        let at = self.at.map(Timestamp::from_unix);
        let challenge = self.challenge.and_then(|name| name.parse().ok());
        let records = self.records.and_then(|text| from_json(&text));
        Some(match self.status.as_str() {
            "pending" => AuthorizationProgress::Pending,
            "validating" => AuthorizationProgress::Validating { challenge: challenge?, since: at? },
            "valid" => AuthorizationProgress::Valid { challenge: challenge?, at: at?, records: records? },
            "invalid" => AuthorizationProgress::Invalid {
                challenge: challenge?,
                at: at?,
                records: records?,
                problem: from_json(&self.problem?)?,
            },
            "deactivated" => AuthorizationProgress::Deactivated { at: at? },
            _ => return None,
        })
    }
}

/// A row of `certificates`.
pub(crate) struct CertificateRow {
    pub(crate) serial: Vec<u8>,
    pub(crate) order_id: Option<[u8; ID]>,
    pub(crate) account_id: Option<[u8; ID]>,
    pub(crate) issuer: [u8; 20],
    pub(crate) der: Vec<u8>,
    pub(crate) not_after: i64,
    pub(crate) revoked_at: Option<i64>,
    pub(crate) revocation_reason: Option<u8>,
}

impl TryFrom<CertificateRow> for CertificateRecord {
    type Error = Inconsistency;

    fn try_from(row: CertificateRow) -> Result<Self, Inconsistency> {
        let serial = serial(&row.serial, "certificates")?;
        let wrong = |column| Inconsistency::on("certificates", column).row(&serial);
        let reason = match row.revocation_reason {
            None => None,
            Some(code) => Some(RevocationReason::from_code(code).ok_or_else(|| wrong("revocation_reason"))?),
        };
        let revocation = row.revoked_at.map(|at| Revocation { at: Timestamp::from_unix(at), reason });
        Ok(Self {
            order: row.order_id.map(OrderId::from_bytes),
            account: row.account_id.map(AccountId::from_bytes),
            issuer: IssuerId::from_bytes(row.issuer),
            der: row.der,
            not_after: Timestamp::from_unix(row.not_after),
            revocation,
            serial,
        })
    }
}

/// What has become of a certificate: some columns of its row.
pub(crate) struct StatusRow {
    pub(crate) issuer: [u8; 20],
    pub(crate) revoked_at: Option<i64>,
    pub(crate) revocation_reason: Option<u8>,
}

impl TryFrom<StatusRow> for CertificateStatus {
    type Error = Inconsistency;

    fn try_from(row: StatusRow) -> Result<Self, Inconsistency> {
        let unknown = || Inconsistency::on("certificates", "revocation_reason");
        let reason = row.revocation_reason.map(|code| RevocationReason::from_code(code).ok_or_else(unknown));
        let reason = reason.transpose()?;
        let revocation = row.revoked_at.map(|at| Revocation { at: Timestamp::from_unix(at), reason });
        Ok(Self { issuer: IssuerId::from_bytes(row.issuer), revocation })
    }
}

/// Refuses to look up more certificates than are ever asked about.
pub(crate) fn ensure_askable(serials: &[Serial]) -> Result<(), DbError> {
    if serials.len() > MAX_CERTIFICATE_STATUSES {
        return Err(DbError::Misuse("more certificates at once than are ever asked about"));
    }
    Ok(())
}

/// A row of `revocations`, without what only lists need.
pub(crate) struct RevocationRow {
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: [u8; 20],
    pub(crate) at: i64,
    pub(crate) reason: Option<i64>,
    pub(crate) position: i64,
}

impl TryFrom<RevocationRow> for RevocationEvent {
    type Error = Inconsistency;

    fn try_from(row: RevocationRow) -> Result<Self, Inconsistency> {
        let serial = Serial::from_bytes(&row.serial);
        let serial = serial.ok_or_else(|| Inconsistency::on("revocations", "serial"))?;
        let reason = row.reason.map(|code| u8::try_from(code).ok().and_then(RevocationReason::from_code));
        let unknown = || Inconsistency::on("revocations", "reason").row(&serial);
        let revocation = Revocation {
            at: Timestamp::from_unix(row.at),
            reason: reason.map(|known| known.ok_or_else(unknown)).transpose()?,
        };
        Ok(Self {
            position: RevocationPosition::from_number(row.position),
            issuer: IssuerId::from_bytes(row.issuer),
            revocation,
            serial,
        })
    }
}

/// The key of a shard: its issuer, and its number in 4 octets.
pub(crate) fn shard_key(shard: ShardId) -> [u8; SHARD_KEY] {
    let mut key = [0; SHARD_KEY];
    let number = u32::from(shard.shard.number()).to_be_bytes();
    key.iter_mut().zip(shard.issuer.as_bytes().iter().chain(&number)).for_each(|(to, from)| *to = *from);
    key
}

/// The key of a CRL: its shard's, its kind in 1 octet, and its number in 8.
pub(crate) fn crl_key(crl: CrlId) -> [u8; CRL_KEY] {
    let kind = [match crl.kind {
        CrlKind::Complete => 0,
        CrlKind::Delta => 1,
    }];
    let mut key = [0; CRL_KEY];
    let parts = shard_key(crl.shard).into_iter().chain(kind).chain(crl.number.to_be_bytes());
    key.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    key
}

/// The key of a piece of a CRL: the CRL's, and the place in 4 octets.
pub(crate) fn chunk_key(crl: CrlId, place: u32) -> [u8; CHUNK_KEY] {
    let mut key = [0; CHUNK_KEY];
    let parts = crl_key(crl).into_iter().chain(place.to_be_bytes());
    key.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    key
}

/// The last key that a CRL of this shard and kind can have: no number is so great.
pub(crate) fn last_crl_key(shard: ShardId, kind: CrlKind) -> [u8; CRL_KEY] {
    crl_key(CrlId { shard, kind, number: u64::MAX })
}

const SHARD_KEY: usize = 24;
const CRL_KEY: usize = SHARD_KEY + 9;
const CHUNK_KEY: usize = CRL_KEY + 4;

/// A row of `crls`.
pub(crate) struct CrlRow {
    pub(crate) id: [u8; CRL_KEY],
    pub(crate) this_update: i64,
    pub(crate) next_update: i64,
    /// Numbers have 64 bits, of which the first is never used.
    pub(crate) base: Option<i64>,
    pub(crate) position: i64,
    pub(crate) entries: i64,
    pub(crate) length: i64,
    pub(crate) sha256: [u8; 32],
}

impl CrlRow {
    /// `None` if a number is too great for the database.
    pub(crate) fn of(head: &CrlHead) -> Option<Self> {
        Some(Self {
            id: crl_key(head.id),
            this_update: head.this_update.unix(),
            next_update: head.next_update.unix(),
            base: head.base.map(i64::try_from).transpose().ok()?,
            position: head.position.number(),
            entries: i64::try_from(head.entries).ok()?,
            length: i64::try_from(head.length).ok()?,
            sha256: head.sha256,
        })
    }
}

impl TryFrom<CrlRow> for CrlHead {
    type Error = Inconsistency;

    fn try_from(row: CrlRow) -> Result<Self, Inconsistency> {
        let wrong = |column| Inconsistency::on("crls", column);
        let count = |column, number| u64::try_from(number).map_err(|_| wrong(column));
        Ok(Self {
            id: read_crl_key(&row.id).ok_or_else(|| wrong("id"))?,
            this_update: Timestamp::from_unix(row.this_update),
            next_update: Timestamp::from_unix(row.next_update),
            base: row.base.map(|base| count("base", base)).transpose()?,
            position: RevocationPosition::from_number(row.position),
            entries: count("entries", row.entries)?,
            length: count("length", row.length)?,
            sha256: row.sha256,
        })
    }
}

fn read_crl_key(key: &[u8; CRL_KEY]) -> Option<CrlId> {
    let (issuer, rest) = key.split_first_chunk::<20>()?;
    let (shard, rest) = rest.split_first_chunk::<4>()?;
    let (kind, number) = rest.split_first_chunk::<1>()?;
    let kind = match kind {
        [0] => CrlKind::Complete,
        [1] => CrlKind::Delta,
        _ => return None,
    };
    let shard = CrlShard::new(u16::try_from(u32::from_be_bytes(*shard)).ok()?);
    let shard = ShardId { issuer: IssuerId::from_bytes(*issuer), shard };
    Some(CrlId { shard, kind, number: u64::from_be_bytes(number.try_into().ok()?) })
}

/// A row of `revocations` as a list needs it.
pub(crate) struct RevokedRow {
    pub(crate) serial: Vec<u8>,
    pub(crate) not_after: i64,
    pub(crate) at: i64,
    pub(crate) reason: Option<i64>,
    pub(crate) position: i64,
}

impl TryFrom<RevokedRow> for RevokedCertificate {
    type Error = Inconsistency;

    fn try_from(row: RevokedRow) -> Result<Self, Inconsistency> {
        let RevokedRow { serial, not_after, at, reason, position } = row;
        let event = RevocationRow { serial, issuer: [0; 20], at, reason, position };
        let RevocationEvent { position, serial, revocation, .. } = event.try_into()?;
        Ok(Self { serial, not_after: Timestamp::from_unix(not_after), revocation, position })
    }
}

/// The shard of a row of `revocations`.
pub(crate) fn shard_of(issuer: [u8; 20], shard: i64) -> Result<ShardId, Inconsistency> {
    let shard = u16::try_from(shard).map_err(|_| Inconsistency::on("revocations", "crl_shard"))?;
    Ok(ShardId { issuer: IssuerId::from_bytes(issuer), shard: CrlShard::new(shard) })
}

/// A row of `ca_certificates`; its key follows from the certificate.
pub(crate) struct CaCertificateRow {
    pub(crate) der: Vec<u8>,
    pub(crate) subject_key_id: Option<[u8; 20]>,
    pub(crate) at: i64,
}

impl From<CaCertificateRow> for CaCertificate {
    fn from(row: CaCertificateRow) -> Self {
        let subject = row.subject_key_id.map(IssuerId::from_bytes);
        Self { der: row.der, subject, at: Timestamp::from_unix(row.at) }
    }
}

/// The key of a row of `ca_certificates`.
pub(crate) fn sha256(der: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(der);
    let mut octets = [0; 32];
    octets.copy_from_slice(context.finish().as_ref());
    octets
}

/// Refuses more CA certificates than are ever told.
pub(crate) fn ensure_recordable(certificates: &[CaCertificate]) -> Result<(), DbError> {
    if certificates.len() > MAX_CA_CERTIFICATES {
        return Err(DbError::Misuse("more CA certificates at once than are ever told"));
    }
    Ok(())
}

/// The serial in a column of `table`.
pub(crate) fn serial(bytes: &[u8], table: &'static str) -> Result<Serial, Inconsistency> {
    Serial::from_bytes(bytes).ok_or_else(|| Inconsistency::on(table, "serial"))
}

/// `dns:example.test` or `ip:192.0.2.1`.
pub(crate) fn identifier_text(identifier: &Identifier) -> String {
    format!("{}:{identifier}", identifier.kind())
}

fn identifier(text: &str) -> Option<Identifier> {
    let (kind, value) = text.split_once(':')?;
    Identifier::parse(kind, value).ok()
}

/// The JSON text of a column.
#[expect(
    clippy::expect_used,
    reason = "keys, lists of text and problems have no part that JSON cannot express"
)]
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("core's types serialise")
}

fn from_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests;
