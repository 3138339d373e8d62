//! When to renew a certificate, and which one an order replaces (RFC 9773).
//!
//! Like an order's status, the suggested window is never stored: it follows from what has happened to the certificate and to its issuer, and
//! from the time ([`Renewal::info`]).

use std::fmt;
use std::str::FromStr;

use cairn_jose::base64url;

use crate::certificate::{IssuerId, Serial};
use crate::time::Timestamp;

/// Names a certificate by its issuer's key and its serial, as in RFC 9773 §4.1: `aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateId {
    /// The keyIdentifier of the certificate's authority key identifier.
    pub issuer: IssuerId,
    /// Its serial.
    pub serial: Serial,
}

/// Why a text names no certificate of ours. The message is written for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateIdError {
    /// It is not of the form of RFC 9773 §4.1.
    #[error(
        "it is not the base64url of the authority key identifier, a period, and the base64url of the serial number, both without \"=\" \
         (RFC 9773 section 4.1)"
    )]
    Malformed,
    /// It is, but no issuer of ours has such a key identifier.
    #[error("its authority key identifier is of another CA")]
    Foreign,
}

/// Longest key identifier that is taken for one: that of a SHA-512. It only bounds what is looked at.
const LONGEST_KEY_IDENTIFIER: usize = 64;

impl FromStr for CertificateId {
    type Err = CertificateIdError;

    /// Strict: each certificate has one text. A serial's leading zero octet, which keeps it positive, is part of it.
    fn from_str(text: &str) -> Result<Self, CertificateIdError> {
        let (issuer, serial) = text.split_once('.').ok_or(CertificateIdError::Malformed)?;
        let decode = |part| base64url::decode(part).map_err(|_| CertificateIdError::Malformed);
        let (issuer, serial) = (decode(issuer)?, decode(serial)?);
        let serial = Serial::from_bytes(&serial).ok_or(CertificateIdError::Malformed)?;
        match issuer.as_slice().try_into() {
            Ok(issuer) => Ok(Self { issuer: IssuerId::from_bytes(issuer), serial }),
            Err(_) if (1..=LONGEST_KEY_IDENTIFIER).contains(&issuer.len()) => {
                Err(CertificateIdError::Foreign)
            }
            Err(_) => Err(CertificateIdError::Malformed),
        }
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (issuer, serial) = (self.issuer.as_bytes(), self.serial.as_bytes());
        write!(f, "{}.{}", base64url::encode(issuer), base64url::encode(serial))
    }
}

/// What the time to renew a certificate follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Who signed it.
    pub issuer: IssuerId,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
    /// The open incident that it is part of.
    pub incident: Option<OpenIncident>,
    /// By when whatever its issuer has issued must be replaced.
    pub replace_by: Option<Timestamp>,
}

/// What an open [`Incident`](crate::Incident) says to those who must replace a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenIncident {
    /// When it began.
    pub since: Timestamp,
    /// A page for people, if there is one.
    pub explanation: Option<String>,
}

/// A RenewalInfo object, RFC 9773 §4.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalInfo {
    /// The suggested window's begin.
    pub start: Timestamp,
    /// Its end, always later.
    pub end: Timestamp,
    /// A page for people that says why it is as it is.
    pub explanation: Option<String>,
}

/// Certificates that live for less than this are renewed at half of their life, others at two thirds, in seconds: of a short life a third
/// leaves too little time for what can go wrong.
const SHORT_LIFE: i64 = 10 * 24 * 60 * 60;

/// Which part of a certificate's life the window takes: a fiftieth, so that certificates that were issued together are renewed apart.
const WINDOW: i64 = 50;

/// How long ago a window lies that says "now", in seconds.
const PAST: i64 = 60 * 60;

/// How long before the end of an issuer's use the last of its certificates shall be replaced, in seconds: longer than clients sleep between
/// two looks, which RFC 9773 §4.3.2 lets be a day.
const AHEAD: i64 = 24 * 60 * 60;

impl Renewal {
    /// When to renew, as known at `now`. The same at every moment, until something happens.
    pub fn info(&self, now: Timestamp) -> RenewalInfo {
        // RFC 9773 §4.2: a window in the past asks for the renewal at once. What was revoked, or is about to be, cannot wait.
        if let Some(incident) = &self.incident {
            return past(incident.since, incident.explanation.clone());
        }
        if let Some(revoked) = self.revoked {
            return past(revoked, None);
        }
        let usual = self.usual();
        match self.replace_by.map(|by| by.plus(-AHEAD)) {
            Some(last) if last <= now => past(now, None),
            Some(last) if last < usual.end => {
                RenewalInfo { start: now.min(last.plus(-1)), end: last, explanation: None }
            }
            _ => usual,
        }
    }

    fn usual(&self) -> RenewalInfo {
        let life = self.not_after.since(self.issued).max(1);
        let middle = if life < SHORT_LIFE { life / 2 } else { life / 3 * 2 };
        let half = life / WINDOW / 2;
        let start = self.issued.plus(middle - half);
        RenewalInfo { start, end: self.issued.plus(middle + half).max(start.plus(1)), explanation: None }
    }
}

fn past(event: Timestamp, explanation: Option<String>) -> RenewalInfo {
    RenewalInfo { start: event.plus(-PAST), end: event.plus(-PAST / 2), explanation }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;
    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn renewal(days: i64) -> Renewal {
        Renewal {
            issuer: IssuerId::from_bytes([7; 20]),
            issued: NOW,
            not_after: NOW.plus(days * DAY),
            revoked: None,
            incident: None,
            replace_by: None,
        }
    }

    /// The example of RFC 9773 §4.1.
    #[test]
    fn an_id_is_read_and_written_as_in_the_rfc() {
        let text = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
        let id: CertificateId = text.parse().unwrap();
        assert_eq!(id.issuer.to_string(), "69885b6b87464041e1b37b847ba0ae2cde01c8d4");
        assert_eq!(id.serial.to_string(), "0087654321");
        assert_eq!(id.to_string(), text);
    }

    #[test]
    fn what_is_not_exactly_an_id_is_none() {
        for text in [
            "",
            ".",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.",
            ".AIdlQyE",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE=",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE.",
            // Without the octet that keeps it positive, with one too many, zero, and of 21 octets.
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.h2VDIQ",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AABlQyE",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AA",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AQEBAQEBAQEBAQEBAQEBAQEBAQEB",
            "aYhba4dGQEHhs3uEe6CuLN4ByN+.AIdlQyE",
        ] {
            assert_eq!(text.parse::<CertificateId>(), Err(CertificateIdError::Malformed), "{text}");
        }
        assert_eq!("AQID.AIdlQyE".parse::<CertificateId>(), Err(CertificateIdError::Foreign));
        let long = format!("{}.AIdlQyE", "AAAA".repeat(22));
        assert_eq!(long.parse::<CertificateId>(), Err(CertificateIdError::Malformed));
    }

    #[test]
    fn the_usual_window_lies_around_two_thirds_of_a_life_and_half_of_a_short_one() {
        let info = renewal(90).info(NOW);
        assert_eq!((info.start, info.end), (NOW.plus(60 * DAY - 77_760), NOW.plus(60 * DAY + 77_760)));
        assert_eq!(renewal(90).info(NOW.plus(80 * DAY)), info, "it is the same at every moment");
        let info = renewal(6).info(NOW);
        assert!(info.start < NOW.plus(3 * DAY) && info.end > NOW.plus(3 * DAY), "{info:?}");
    }

    #[test]
    fn a_window_ends_after_it_begins_however_short_the_life_is() {
        for seconds in [-5, 0, 1, 2, 99, 100, 101] {
            let short = Renewal { not_after: NOW.plus(seconds), ..renewal(1) };
            for replace_by in [None, Some(NOW), Some(NOW.plus(AHEAD + 1)), Some(NOW.plus(2 * AHEAD))] {
                let info = Renewal { replace_by, ..short.clone() }.info(NOW);
                assert!(info.end > info.start, "{seconds} {replace_by:?}: {info:?}");
            }
        }
    }

    #[test]
    fn what_is_revoked_or_will_be_is_to_be_renewed_at_once() {
        let explanation = Some("https://ca.test/why".to_owned());
        let incident = Some(OpenIncident { since: NOW, explanation: explanation.clone() });
        let info = Renewal { incident: incident.clone(), ..renewal(90) }.info(NOW);
        assert!(info.end < NOW && info.explanation == explanation);
        let info = Renewal { revoked: Some(NOW), ..renewal(90) }.info(NOW);
        assert!(info.end < NOW && info.explanation.is_none());
        // Both: whoever has not heard yet still learns why.
        let info = Renewal { revoked: Some(NOW), incident, ..renewal(90) }.info(NOW);
        assert_eq!(info.explanation, explanation);
    }

    #[test]
    fn what_an_issuer_has_issued_that_must_go_is_renewed_in_time_and_spread() {
        let usual = renewal(90).info(NOW);
        let by = |replace_by| Renewal { replace_by: Some(replace_by), ..renewal(90) };
        let info = by(NOW.plus(10 * DAY)).info(NOW);
        assert_eq!((info.start, info.end), (NOW, NOW.plus(9 * DAY)));
        let later = by(NOW.plus(10 * DAY)).info(NOW.plus(8 * DAY));
        assert_eq!((later.start, later.end), (NOW.plus(8 * DAY), NOW.plus(9 * DAY)));
        assert!(by(NOW.plus(10 * DAY)).info(NOW.plus(9 * DAY)).end < NOW.plus(9 * DAY));
        assert_eq!(by(NOW.plus(80 * DAY)).info(NOW), usual, "it is renewed before that anyway");
    }
}
