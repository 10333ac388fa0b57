//! Descriptors: connections must not take those that the database, files and threads need.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For files, exports, the sweeper, fetched keys and whatever else there is, besides what the caller counts.
const SPARE: u64 = 64;

/// The fewest connections that are worth serving.
const FEWEST: u64 = 16;

/// How many connections there may be so that `others` descriptors are always left besides: as many as are asked for,
/// if the limit on open files can be raised so far.
///
/// Errors: the limit leaves hardly any.
pub fn for_connections(asked: u32, others: usize) -> Result<usize> {
    let reserved = u64::try_from(others)? + SPARE;
    let most = raise(u64::from(asked) + reserved);
    let left = most.saturating_sub(reserved);
    if left < FEWEST {
        bail!("{most} open files are too few: {reserved} are needed besides connections; raise the limit (ulimit -Hn)");
    }
    if left < u64::from(asked) {
        tracing::warn!("{most} open files leave {left} connections of the {asked} that are asked for; see ulimit -Hn");
    }
    Ok(usize::try_from(left.min(asked.into()))?)
}

// Raises the limit to `wanted` as far as it can be, and returns it.
fn raise(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let (current, most) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX).min(wanted));
    let raised = current < most && setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).is_ok();
    if raised { most } else { current }
}
