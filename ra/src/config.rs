//! What an operator may say about orders and how much work is done at once.

use cairn_core::Period;
use serde::Deserialize;

/// The most identifiers that an order may ever be configured to have: a certificate must stay small enough for a TLS handshake.
const MOST_IDENTIFIERS: usize = 1000;

/// The most tasks of a kind: each waiting one holds some kilobytes, and sockets while it validates.
const MOST_TASKS: usize = 100_000;

/// Orders, their lifetimes, and the bounds of work.
///
/// ```toml
/// max_identifiers = 100
/// order_lifetime = "7d"
/// valid_authorization_lifetime = "30d"
/// answer_grace = "50ms"
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The name of the CA's profile by which certificates are issued. Default: `default`. If the CA has no such profile, every
    /// order fails when it is finalized.
    pub profile: String,

    /// How many identifiers an order may have. Default: 100; at most 1000. Large certificates make slow handshakes.
    pub max_identifiers: usize,

    /// How long after it was placed an order can be finalized. Default: `7d`. Too short, and clients that wait for DNS to
    /// spread come too late.
    pub order_lifetime: Period,

    /// How long an authorization waits for a challenge to be answered. Default: `7d`. An order ends with the first of its
    /// authorizations, so less than `order_lifetime` shortens orders too.
    pub pending_authorization_lifetime: Period,

    /// How long an authorization is good for after its challenge succeeded: for the order it was made for, for later ones if
    /// `reuse_authorizations` is on, and as a right to revoke. Default: `30d`; not less than `order_lifetime`. The longer, the
    /// later the CA notices that a name has changed hands.
    pub valid_authorization_lifetime: Period,

    /// Whether a new order takes over valid authorizations of earlier ones instead of asking for the proof again. Default: true.
    /// Switch it off to have every order validated.
    pub reuse_authorizations: bool,

    /// Whether a new order for the identifiers of one that is pending or ready gives that one back. Default: true. Switched off,
    /// a client that keeps on placing orders without finalizing them fills the database sooner.
    pub reuse_orders: bool,

    /// Only what expires later than this from now is reused, so that the client has time to finalize. Default: `1d`.
    pub reuse_margin: Period,

    /// How long the answer to a challenge or finalize request waits for the validation or issuance that it started. Default:
    /// `50ms`; at most `10s`. Quick ones are then final in the first answer, which saves the client a poll of some seconds.
    pub answer_grace: Period,

    /// How many validations run at the same time. Default: 500. Beyond, challenge requests are answered with 503 and the client
    /// tries again. Each can hold some sockets, so the limit of open files must be several times higher.
    pub max_validations: usize,

    /// How many issuances run at the same time. Default: 100. Beyond, finalize requests are answered with 503 and the client
    /// tries again.
    pub max_issuances: usize,

    /// How long to wait before a validation, or the storing of an outcome, is tried again when one of the CA's own services
    /// failed; doubles with each of the three further attempts. Default: `500ms`; at most `10s`.
    pub retry_pause: Period,

    /// How often orders and validations are looked for that a killed process left undone. Default: `15s`; at least `1s`.
    pub sweep_interval: Period,

    /// Where several registration authorities work on one storage: how often each says that it lives. Default: `5s`; at least
    /// `100ms`. Each time is one small change of the database.
    pub heartbeat_interval: Period,

    /// How long one of them must have been silent before the others take over what it was working on: they do its validations
    /// again and end its orders. Default: `30s`; at least `1s` and three times `heartbeat_interval`, at most `1h`. The same for all
    /// of them, and far longer than their clocks differ. Too short, and one that was only slow loses its work: clients must place
    /// new orders. Too long, and clients of one that died wait in vain.
    pub lease: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: "default".to_owned(),
            max_identifiers: 100,
            order_lifetime: Period::from_days(7),
            pending_authorization_lifetime: Period::from_days(7),
            valid_authorization_lifetime: Period::from_days(30),
            reuse_authorizations: true,
            reuse_orders: true,
            reuse_margin: Period::from_days(1),
            answer_grace: Period::from_millis(50),
            max_validations: 500,
            max_issuances: 100,
            retry_pause: Period::from_millis(500),
            sweep_interval: Period::from_secs(15),
            heartbeat_interval: Period::from_secs(5),
            lease: Period::from_secs(30),
        }
    }
}

/// The shortest life of an order: less than this no client can use.
const SHORTEST_LIFETIME: Period = Period::from_secs(60);

/// The longest life of anything here: beyond, dates leave what databases and clients can hold.
const LONGEST_LIFETIME: Period = Period::from_days(10 * 365);

/// The longest waits within a request or between attempts: clients give up after some 30 seconds.
const LONGEST_WAIT: Period = Period::from_secs(10);

/// More signs of life than that only burden the database.
const SHORTEST_HEARTBEAT: Period = Period::from_millis(100);

/// Signs of life are stored to the second.
const SHORTEST_LEASE: Period = Period::from_secs(1);

/// The storage forgets workers that were silent for a day.
const LONGEST_LEASE: Period = Period::from_secs(60 * 60);

/// Signs of life within a lease: some may be late, or lost.
const HEARTBEATS_IN_A_LEASE: u32 = 3;

impl Config {
    /// Checks everything once.
    ///
    /// # Errors
    /// The first value that is out of its bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let day = Period::from_days(1);
        let longest = LONGEST_LIFETIME;
        within("max_identifiers", self.max_identifiers, 1, MOST_IDENTIFIERS)?;
        within("max_validations", self.max_validations, 1, MOST_TASKS)?;
        within("max_issuances", self.max_issuances, 1, MOST_TASKS)?;
        within("order_lifetime", self.order_lifetime, SHORTEST_LIFETIME, longest)?;
        within(
            "pending_authorization_lifetime",
            self.pending_authorization_lifetime,
            SHORTEST_LIFETIME,
            longest,
        )?;
        within(
            "valid_authorization_lifetime",
            self.valid_authorization_lifetime,
            self.order_lifetime,
            longest,
        )?;
        within("reuse_margin", self.reuse_margin, Period::from_secs(0), longest)?;
        within("answer_grace", self.answer_grace, Period::from_secs(0), LONGEST_WAIT)?;
        within("retry_pause", self.retry_pause, Period::from_millis(1), LONGEST_WAIT)?;
        within("sweep_interval", self.sweep_interval, Period::from_secs(1), day)?;
        within("heartbeat_interval", self.heartbeat_interval, SHORTEST_HEARTBEAT, LONGEST_LEASE)?;
        let shortest = SHORTEST_LEASE.max(self.heartbeat_interval.times(HEARTBEATS_IN_A_LEASE));
        within("lease", self.lease, shortest, LONGEST_LEASE)
    }
}

fn within<T: PartialOrd + ToString>(
    key: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigError> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(ConfigError { key, value: value.to_string(), least: least.to_string(), most: most.to_string() })
}

/// A value out of its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is {value}; set it to {least} at least and {most} at most")]
pub struct ConfigError {
    key: &'static str,
    value: String,
    least: String,
    most: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_and_the_default_are_configurations() {
        let text = "max_identifiers = 100\norder_lifetime = \"7d\"\nvalid_authorization_lifetime = \"30d\"\nanswer_grace = \"50ms\"";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("order_life = \"7d\"").is_err());
    }

    #[test]
    fn what_is_out_of_bounds_is_named_with_its_bounds() {
        for (text, key, bound) in [
            ("max_identifiers = 0", "max_identifiers", "1"),
            ("valid_authorization_lifetime = \"1d\"", "valid_authorization_lifetime", "7d"),
            ("answer_grace = \"1m\"", "answer_grace", "10s"),
            ("heartbeat_interval = \"1ms\"", "heartbeat_interval", "100ms"),
            ("lease = \"14s\"", "lease", "15s"),
            ("lease = \"2h\"", "lease", "1h"),
        ] {
            let error = toml::from_str::<Config>(text).unwrap().validate().unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(bound), "{error}");
        }
    }
}
