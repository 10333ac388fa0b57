//! Who may call what: the check of every request against the table of calls.

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header;

use super::auth::{Caller, Subject};
use super::call::{Call, Need};
use super::caller::Authorised;
use super::code::HttpCode;
use super::problem::Problem;
use super::service::Service;
use super::table;
use crate::domain::ids::MemberId;

/// The scope of a member's token: what the table opens to members, for that member alone.
pub const MEMBER_SCOPE: &str = "me";

/// The scopes of the checkout service.
pub const CHECKOUT_SCOPES: &str =
    "members:read members:write orders:read orders:write redemptions:read redemptions:write rewards:read";

/// The scopes of finance.
pub const FINANCE_SCOPES: &str = "adjustments:read causes:read donations:read ledger:read members:read orders:read \
                                  program:read redemptions:read rewards:read transfers:read";

/// Every scope in the table, sorted: the operator's.
pub fn all_scopes() -> Vec<&'static str> {
    let mut scopes: Vec<&str> = table::calls().filter_map(|call| call.need.scope()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// Checks a request for `call` before its handler sees it, which finds the caller in the request's extensions.
pub fn check(service: &Service, call: &Call, request: &ServiceRequest) -> Result<(), Problem> {
    if call.need != Need::Nothing {
        let authorised = authorise(service, call, request)?;
        request.extensions_mut().insert(authorised);
    }
    Ok(())
}

fn authorise(service: &Service, call: &Call, request: &ServiceRequest) -> Result<Authorised, Problem> {
    let values = request.headers().get_all(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let caller = service.authenticator.authenticate_headers(values).map_err(|refusal| {
        let peer = request.peer_addr().map(|peer| peer.ip());
        service.limits.refused_token(refusal, peer)
    })?;
    if let Subject::Member(member) = caller.subject {
        service.limits.member_call(member)?;
    }
    let member = allowed(&caller, call.need, member_in(call.path, request.match_info().as_str()))?;
    Ok(Authorised::new(caller, member))
}

// What stands in the path where the pattern has `{id}`. The router has not looked at the path yet.
fn member_in<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let place = pattern.split('/').position(|segment| segment == "{id}")?;
    path.split('/').nth(place)
}

// Whether the caller may, and the member that the address names.
fn allowed(caller: &Caller, need: Need, id: Option<&str>) -> Result<Option<MemberId>, Problem> {
    let Some(scope) = need.scope() else { return Ok(None) };
    let open_to_members = need.open_to_members();
    match &caller.subject {
        Subject::Client(name) if !is_client_name(name) => Err(Problem::new(
            HttpCode::TokenSubjectInvalid,
            "a client's sub has 1 to 64 letters, digits, dots, dashes and underscores: it stands in the ledger for \
             good, so it names a service and never a person",
        )),
        Subject::Client(_) if caller.scopes.allows(scope) => {
            // An id that no member can have is an unknown member like any other.
            id.map(|id| id.parse().map_err(|_| Problem::member_not_found())).transpose()
        }
        Subject::Member(_) if matches!(need, Need::ScopeOrOwner(_)) && caller.scopes.allows(MEMBER_SCOPE) => Ok(None),
        Subject::Member(member) if open_to_members && caller.scopes.allows(MEMBER_SCOPE) => match id {
            Some(id) if id == "me" || id.parse() == Ok(*member) => Ok(Some(*member)),
            _ => Err(Problem::member_not_found()),
        },
        Subject::Client(_) => Err(Problem::new(
            HttpCode::ScopeMissing,
            format!("this call needs a client's token with the scope {scope}"),
        )),
        Subject::Member(_) if open_to_members => Err(Problem::new(
            HttpCode::ScopeMissing,
            format!("a member's token needs the scope {MEMBER_SCOPE} for this call"),
        )),
        Subject::Member(_) => Err(Problem::new(HttpCode::ScopeMissing, "this call is not open to members' tokens")),
    }
}

// Invariant 8: the name goes into the hashed bytes, where an address or a person's name could never be erased.
fn is_client_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}
