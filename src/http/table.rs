//! Every call of the service, and of a sandbox.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::call::Call;
use super::{
    adjustments, causes, donations, ledger, lots, members, memberships, operations, orders, programs, quotes,
    redemptions, refunds, rewards, sandbox, statements, tiers, transfers,
};

/// The calls of each resource, in the order in which the document lists what they belong to.
pub const RESOURCES: [&[Call]; 18] = [
    orders::CALLS,
    refunds::CALLS,
    quotes::CALLS,
    redemptions::CALLS,
    rewards::CALLS,
    adjustments::CALLS,
    members::CALLS,
    memberships::CALLS,
    statements::CALLS,
    lots::CALLS,
    tiers::CALLS,
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

/// The call of this method and path.
pub fn find(method: &str, path: &str) -> Option<&'static Call> {
    address(path)?.call(method)
}

/// The address that `path` is one of. What stands in braces in an address is any segment that is not empty.
pub fn address(path: &str) -> Option<&'static Address> {
    ADDRESSES.find(path.split('/'))
}

/// An address, and the calls that have it.
#[derive(Debug)]
pub struct Address {
    calls: Vec<&'static Call>,
}

impl Address {
    /// As it is written in the table.
    pub fn pattern(&self) -> &'static str {
        self.calls[0].path
    }

    /// Does a sandbox alone have it?
    pub fn is_of_sandbox(&self) -> bool {
        self.calls[0].tag() == "sandbox"
    }

    /// The call of this method.
    pub fn call(&self, method: &str) -> Option<&'static Call> {
        self.calls.iter().copied().find(|call| call.method() == method)
    }

    /// The methods that it takes, as `Allow` lists them.
    pub fn allow(&self) -> String {
        let methods: Vec<&str> = self.calls.iter().map(|call| call.method()).collect();
        methods.join(", ").replace("GET", "GET, HEAD")
    }
}

static ADDRESSES: LazyLock<Branch> = LazyLock::new(|| {
    let mut root = Branch::default();
    calls().for_each(|call| root.insert(call));
    root
});

/// The addresses that begin alike, by their next segment: a look-up costs as many steps as a path has segments,
/// however many addresses there are.
#[derive(Default)]
struct Branch {
    named: HashMap<&'static str, Branch>,
    any: Option<Box<Branch>>,
    here: Option<Address>,
}

impl Branch {
    fn insert(&mut self, call: &'static Call) {
        let place = call.path.split('/').fold(self, |branch, segment| match segment.starts_with('{') {
            true => branch.any.get_or_insert_default(),
            false => branch.named.entry(segment).or_default(),
        });
        place.here.get_or_insert_with(|| Address { calls: Vec::new() }).calls.push(call);
    }

    // A name goes before what is in braces, whatever the order of the table.
    fn find<'p>(&self, mut path: impl Iterator<Item = &'p str> + Clone) -> Option<&Address> {
        let Some(segment) = path.next() else { return self.here.as_ref() };
        let named = self.named.get(segment).and_then(|branch| branch.find(path.clone()));
        named.or_else(|| self.any.as_ref().filter(|_| !segment.is_empty())?.find(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_found_by_its_method_and_address() {
        for call in calls() {
            let found = find(call.method(), call.path).unwrap();
            assert_eq!((found.name, found.path), (call.name, call.path));
            let path: Vec<&str> = call.path.split('/').map(|s| if s.starts_with('{') { "a b" } else { s }).collect();
            assert_eq!(find(call.method(), &path.join("/")).unwrap().name, call.name);
        }
    }

    #[test]
    fn what_is_nearly_an_address_is_none() {
        for path in
            ["", "/", "livez", "//livez", "/livez/", "/v1", "/v1/orders/", "/v1/orders//refunds", "/v1/orders/a/b"]
        {
            assert!(address(path).is_none(), "{path}");
        }
        assert!(find("DELETE", "/v1/orders").is_none());
        assert_eq!(address("/v1/orders/a").unwrap().allow(), "GET, HEAD");
    }
}
