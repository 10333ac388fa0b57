//! The memory of verified tokens: by digest, bounded, and void as soon as the keys change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Caller;
use crate::domain::digest::{self, sha256};

/// How many tokens are remembered at most.
pub(super) const CAPACITY: usize = 10_000;

/// Workers that look up different tokens seldom meet at one of this many locks.
const SHARDS: usize = 16;
const SHARD_CAPACITY: usize = CAPACITY / SHARDS;

/// The SHA-256 of a token. The cache never holds a token, so a memory dump of it opens no door.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest(digest::Sha256);

impl TokenDigest {
    pub(super) fn of(token: &[u8]) -> TokenDigest {
        TokenDigest(sha256(&[token]))
    }

    fn shard(&self) -> usize {
        usize::from(self.0[0]) % SHARDS
    }
}

/// Verified tokens and whom they stand for.
#[derive(Default)]
pub(super) struct TokenCache {
    shards: [Mutex<HashMap<TokenDigest, Entry>>; SHARDS],
}

struct Entry {
    caller: Arc<Caller>,
    /// The first second in which the token is expired, leeway included.
    refused_from: i64,
    /// The generation of the keys that verified it.
    generation: u64,
}

impl Entry {
    fn holds(&self, now: i64, generation: u64) -> bool {
        now < self.refused_from && self.generation == generation
    }
}

impl TokenCache {
    /// The bearer of a token that the keys of `generation` have verified and that has not expired.
    pub(super) fn get(&self, digest: &TokenDigest, now: i64, generation: u64) -> Option<Arc<Caller>> {
        let mut shard = self.shard(digest);
        let entry = shard.get(digest)?;
        if entry.holds(now, generation) {
            return Some(Arc::clone(&entry.caller));
        }
        shard.remove(digest);
        None
    }

    /// Remembers a token verified by the keys of `generation`.
    pub(super) fn insert(
        &self,
        digest: TokenDigest,
        caller: Arc<Caller>,
        refused_from: i64,
        generation: u64,
        now: i64,
    ) {
        let mut shard = self.shard(&digest);
        if shard.len() >= SHARD_CAPACITY {
            shard.retain(|_, entry| entry.holds(now, generation));
        }
        if shard.len() >= SHARD_CAPACITY
            && let Some(any) = shard.keys().next().copied()
        {
            shard.remove(&any);
        }
        shard.insert(digest, Entry { caller, refused_from, generation });
    }

    fn shard(&self, digest: &TokenDigest) -> MutexGuard<'_, HashMap<TokenDigest, Entry>> {
        // Every change of a map is one call, so a panic elsewhere leaves it whole.
        self.shards[digest.shard()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::{Scopes, Subject};

    fn caller() -> Arc<Caller> {
        let subject = Subject::Client("till".to_owned());
        Arc::new(Caller { subject, scopes: Scopes::default() })
    }

    fn digest(number: usize) -> TokenDigest {
        TokenDigest::of(&number.to_be_bytes())
    }

    #[test]
    fn never_holds_more_than_its_capacity() {
        let cache = TokenCache::default();
        for number in 0..3 * CAPACITY {
            cache.insert(digest(number), caller(), 100, 1, 10);
            assert!(cache.get(&digest(number), 10, 1).is_some());
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(held <= CAPACITY, "{held}");
        assert!(held > CAPACITY * 9 / 10, "{held}");
    }

    #[test]
    fn gives_way_to_expired_tokens_first() {
        let cache = TokenCache::default();
        let live = digest(0);
        cache.insert(live, caller(), 1_000, 1, 10);
        for number in 1..CAPACITY {
            cache.insert(digest(number), caller(), 20, 1, 10);
        }
        for number in CAPACITY..CAPACITY + 2_000 {
            cache.insert(digest(number), caller(), 1_000, 1, 30);
        }
        assert!(cache.get(&live, 30, 1).is_some());
    }

    #[test]
    fn forgets_what_has_expired_or_was_verified_by_other_keys() {
        let cache = TokenCache::default();
        cache.insert(digest(1), caller(), 100, 1, 10);
        assert!(cache.get(&digest(1), 99, 1).is_some());
        assert!(cache.get(&digest(1), 100, 1).is_none());
        cache.insert(digest(2), caller(), 100, 1, 10);
        assert!(cache.get(&digest(2), 10, 2).is_none());
        assert!(cache.get(&digest(2), 10, 1).is_none(), "a refused entry is gone for good");
    }
}
