//! How often something may be asked: by a member's token, and with tokens that nobody issued.
//!
//! Clients' tokens have no limit. Each instance of the service counts for itself, in memory.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::auth::AuthRefusal;
use super::code::HttpCode;
use super::problem::Problem;
use crate::domain::ids::MemberId;

/// After how many questions those are forgotten that have their whole quota again: what is kept is bounded by how
/// many ask within the time of a quota, and this.
const FORGET_EVERY: usize = 4_096;

/// How often; 0 is without limit.
#[derive(Debug, Clone, Copy)]
pub struct LimitsConfig {
    /// Calls of a member's token, in a minute.
    pub member_calls: u32,
    /// Receivers that a member's token names by the shop's id of the customer, in an hour. Every answer tells whether
    /// there is such a member, so this is how many customers one member can find out.
    pub receiver_lookups: u32,
    /// Tokens that were not issued for this service, from one address, in a minute.
    pub failed_tokens: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { member_calls: 600, receiver_lookups: 10, failed_tokens: 60 }
    }
}

/// The limits, with what was asked lately.
pub struct Limits {
    member_calls: Limit<MemberId>,
    receiver_lookups: Limit<MemberId>,
    failed_tokens: Limit<IpAddr>,
}

impl Limits {
    /// Nothing was asked yet.
    pub fn new(config: LimitsConfig) -> Self {
        Self {
            member_calls: Limit::new(config.member_calls, Quota::per_minute),
            receiver_lookups: Limit::new(config.receiver_lookups, Quota::per_hour),
            failed_tokens: Limit::new(config.failed_tokens, Quota::per_minute),
        }
    }

    /// Counts a call with the token of `member`.
    pub fn member_call(&self, member: MemberId) -> Result<(), Problem> {
        self.member_calls.count(member).map_err(|wait| {
            Problem::too_many(HttpCode::TooManyCalls, "this member has made more calls than a minute may have", wait)
        })
    }

    /// Counts a question of `member` for a customer by the shop's id.
    pub fn receiver_lookup(&self, member: MemberId) -> Result<(), Problem> {
        self.receiver_lookups.count(member).map_err(|wait| {
            let detail = "this member has named more receivers by external id than an hour may have; name the \
                          receiver by the member's id, which the first transfer has told";
            Problem::too_many(HttpCode::TooManyLookups, detail, wait)
        })
    }

    /// Counts a token from `peer` that was refused, and returns what to answer. A peer may be a proxy with many
    /// callers behind it. So nothing else is refused for what is counted here, and neither is what an issuer's own
    /// callers meet, such as the end of a token's life: an app must be told to get a new one. Right after a rotation this
    /// holds not quite: tokens of a new key count as guesses until the keys are fetched anew, some seconds later.
    pub fn refused_token(&self, refusal: AuthRefusal, peer: Option<IpAddr>) -> Problem {
        let Some(peer) = peer.filter(|_| refusal.is_guess()) else { return refusal.into() };
        self.failed_tokens.count(subscriber(peer)).map_or_else(
            |wait| {
                let detail = "more tokens that were not issued for this service came from this address than a minute \
                              may have";
                Problem::too_many(HttpCode::TooManyFailedTokens, detail, wait)
            },
            |()| refusal.into(),
        )
    }
}

// Whoever has one address of IPv6 has the 2^64 beside it.
fn subscriber(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(peer) => peer.into(),
        IpAddr::V6(peer) => Ipv6Addr::from_bits(peer.to_bits() >> 64 << 64).into(),
    }
}

/// One limit, for each `K` on its own; none is without limit.
struct Limit<K: Hash + Eq + Clone>(Option<Counted<K>>);

struct Counted<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    questions: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(most: u32, quota: fn(NonZeroU32) -> Quota) -> Self {
        let counted = |most| Counted { limiter: RateLimiter::keyed(quota(most)), questions: AtomicUsize::new(0) };
        Self(NonZeroU32::new(most).map(counted))
    }

    // Counts a question of `key`; or says how long it has to wait.
    fn count(&self, key: K) -> Result<(), Duration> {
        let Some(Counted { limiter, questions }) = &self.0 else { return Ok(()) };
        if (questions.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(FORGET_EVERY) {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        limiter.check_key(&key).map_err(|early| early.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_each_ones_own() {
        let limit = Limit::new(3, Quota::per_hour);
        assert!((0..3).all(|_| limit.count("ana").is_ok()));
        let wait = limit.count("ana").unwrap_err();
        assert!(wait <= Duration::from_secs(20 * 60) && wait > Duration::from_secs(19 * 60), "{wait:?}");
        assert!(limit.count("ben").is_ok());
    }

    #[test]
    fn zero_is_without_limit() {
        let limit = Limit::new(0, Quota::per_hour);
        assert!((0..10_000).all(|_| limit.count("ana").is_ok()));
    }

    #[test]
    fn those_who_have_their_whole_quota_again_are_forgotten() {
        // Each has it again after a nanosecond.
        let limit = Limit::new(u32::MAX, Quota::per_second);
        for key in 0..10 * FORGET_EVERY {
            limit.count(key).unwrap();
        }
        let held = limit.0.as_ref().map(|counted| counted.limiter.len());
        assert!(held.is_some_and(|held| held <= FORGET_EVERY), "{held:?}");
    }

    #[test]
    fn tokens_that_nobody_issued_are_counted_and_no_others() {
        let told = |refusal: AuthRefusal| {
            let limits = Limits::new(LimitsConfig { failed_tokens: 1, ..LimitsConfig::default() });
            let peer = Some([192, 0, 2, 7].into());
            assert_eq!(limits.refused_token(refusal, peer).document().code, refusal.code().name());
            limits.refused_token(refusal, peer).document().code
        };
        for guess in [
            AuthRefusal::TooLong,
            AuthRefusal::Malformed,
            AuthRefusal::CriticalHeader,
            AuthRefusal::UnknownKey,
            AuthRefusal::AlgorithmNotAllowed,
            AuthRefusal::BadSignature,
        ] {
            assert_eq!(told(guess), "too_many_failed_tokens", "{guess}");
        }
        for other in [
            AuthRefusal::Missing,
            AuthRefusal::SeveralHeaders,
            AuthRefusal::NotBearer,
            AuthRefusal::KeysAwaited,
            AuthRefusal::Expired,
            AuthRefusal::NotYetValid,
            AuthRefusal::WrongIssuer,
            AuthRefusal::WrongAudience,
            AuthRefusal::MissingClaim("sub"),
            AuthRefusal::InvalidClaim("exp"),
            AuthRefusal::BadSubject,
            AuthRefusal::BadMember,
        ] {
            assert_eq!(told(other), other.code().name());
        }
    }

    #[test]
    fn an_ipv6_subscriber_counts_as_one_address() {
        let subscriber = |text: &str| subscriber(text.parse().unwrap()).to_string();
        assert_eq!(subscriber("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(subscriber("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(subscriber("192.0.2.7"), "192.0.2.7");
        let limits = Limits::new(LimitsConfig { failed_tokens: 1, ..LimitsConfig::default() });
        let told = |peer: &str| {
            let problem = limits.refused_token(AuthRefusal::Malformed, Some(peer.parse().unwrap()));
            problem.document().code
        };
        assert_eq!(told("2001:db8:1:2::1"), "token_malformed");
        assert_eq!(told("2001:db8:1:2::2"), "too_many_failed_tokens");
        assert_eq!(told("2001:db8:1:3::1"), "token_malformed");
    }
}
