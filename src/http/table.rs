//! Every call of the service, and of a sandbox.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::call::Call;
use super::{
    adjustments, causes, donations, ledger, lots, members, memberships, operations, orders, programs, redemptions,
    refunds, rewards, sandbox, statements, transfers,
};

/// The calls of each resource, in the order in which the document lists what they belong to.
pub const RESOURCES: [&[Call]; 16] = [
    orders::CALLS,
    refunds::CALLS,
    redemptions::CALLS,
    rewards::CALLS,
    adjustments::CALLS,
    members::CALLS,
    memberships::CALLS,
    statements::CALLS,
    lots::CALLS,
    causes::CALLS,
    donations::CALLS,
    transfers::CALLS,
    programs::CALLS,
    ledger::CALLS,
    sandbox::CALLS,
    operations::CALLS,
];

/// Every call. What does not stand here is refused.
pub fn calls() -> impl Iterator<Item = &'static Call> {
    RESOURCES.into_iter().flatten()
}

/// The call of this method and address, as the router names the address.
pub fn find(method: &str, path: &str) -> Option<&'static Call> {
    BY_PATH.get(path)?.iter().copied().find(|call| call.method() == method)
}

/// The methods that an address takes, as `Allow` lists them; none if there is no such address.
pub fn methods(path: &str) -> Option<String> {
    let methods: Vec<&str> = BY_PATH.get(path)?.iter().map(|call| call.method()).collect();
    Some(methods.join(", ").replace("GET", "GET, HEAD"))
}

/// Few calls share an address, so that the second step of a look-up is short.
static BY_PATH: LazyLock<HashMap<&str, Vec<&Call>>> = LazyLock::new(|| {
    let mut by_path: HashMap<&str, Vec<&Call>> = HashMap::new();
    calls().for_each(|call| by_path.entry(call.path).or_default().push(call));
    by_path
});
