//! Who may call what: one table, and the check that reads it.

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use std::future::{Ready, ready};
use std::str::FromStr;
use std::sync::Arc;

use super::Service;
use super::auth::{Caller, Subject};
use super::problem::Problem;
use crate::domain::fields::Fault;
use crate::domain::ids::{MemberId, NotAnId};

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A client's token with this scope.
    Scope(&'static str),
    /// A client's token with this scope, or the token of the member that the address names.
    ScopeOrMember(&'static str),
    /// A client's token with this scope, or a member's token, which the handler confines to what is the member's own:
    /// see [`Authorised::own`] and [`Authorised::resolve`].
    ScopeOrOwner(&'static str),
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// The method.
    pub method: &'static str,
    /// The address, as its handler names it.
    pub path: &'static str,
    /// What it needs.
    pub need: Need,
}

/// Every address of the service, and of a sandbox. What does not stand here is refused; a test holds it equal to the
/// routes and the document.
pub const ACCESS: &[Access] = &[
    row("POST", "/v1/members", Need::Scope("members:write")),
    row("GET", "/v1/members", Need::Scope("members:read")),
    row("GET", "/v1/members/{id}", Need::ScopeOrMember("members:read")),
    row("PATCH", "/v1/members/{id}", Need::Scope("members:write")),
    row("GET", "/v1/members/{id}/wallet", Need::ScopeOrMember("members:read")),
    row("GET", "/v1/members/{id}/entries", Need::ScopeOrMember("members:read")),
    row("GET", "/v1/members/{id}/lots", Need::ScopeOrMember("members:read")),
    row("POST", "/v1/members/{id}/suspend", Need::Scope("members:manage")),
    row("POST", "/v1/members/{id}/resume", Need::Scope("members:manage")),
    row("POST", "/v1/members/{id}/close", Need::Scope("members:manage")),
    row("POST", "/v1/members/{id}/erase", Need::Scope("members:manage")),
    row("POST", "/v1/orders", Need::Scope("orders:write")),
    row("GET", "/v1/orders/{order_id}", Need::Scope("orders:read")),
    row("POST", "/v1/orders/{order_id}/refunds", Need::Scope("orders:write")),
    row("GET", "/v1/orders/{order_id}/refunds", Need::Scope("orders:read")),
    row("POST", "/v1/redemptions", Need::ScopeOrOwner("redemptions:write")),
    row("GET", "/v1/redemptions", Need::ScopeOrOwner("redemptions:read")),
    row("GET", "/v1/redemptions/{redemption_id}", Need::ScopeOrOwner("redemptions:read")),
    row("POST", "/v1/redemptions/{redemption_id}/capture", Need::Scope("redemptions:write")),
    row("POST", "/v1/redemptions/{redemption_id}/void", Need::ScopeOrOwner("redemptions:write")),
    row("POST", "/v1/redemptions/{redemption_id}/return", Need::Scope("redemptions:write")),
    row("POST", "/v1/rewards", Need::Scope("rewards:write")),
    row("GET", "/v1/rewards", Need::ScopeOrOwner("rewards:read")),
    row("GET", "/v1/rewards/{reward_id}", Need::ScopeOrOwner("rewards:read")),
    row("PATCH", "/v1/rewards/{reward_id}", Need::Scope("rewards:write")),
    row("POST", "/v1/causes", Need::Scope("causes:write")),
    row("GET", "/v1/causes", Need::ScopeOrOwner("causes:read")),
    row("GET", "/v1/causes/{cause_id}", Need::ScopeOrOwner("causes:read")),
    row("POST", "/v1/donations", Need::ScopeOrOwner("donations:write")),
    row("GET", "/v1/donations", Need::ScopeOrOwner("donations:read")),
    row("POST", "/v1/transfers", Need::ScopeOrOwner("transfers:write")),
    row("GET", "/v1/transfers", Need::ScopeOrOwner("transfers:read")),
    row("GET", "/v1/transfers/{transfer_id}", Need::ScopeOrOwner("transfers:read")),
    row("POST", "/v1/transfers/{transfer_id}/accept", Need::ScopeOrOwner("transfers:write")),
    row("POST", "/v1/transfers/{transfer_id}/decline", Need::ScopeOrOwner("transfers:write")),
    row("POST", "/v1/transfers/{transfer_id}/cancel", Need::ScopeOrOwner("transfers:write")),
    row("POST", "/v1/adjustments", Need::Scope("adjustments:write")),
    row("GET", "/v1/adjustments", Need::Scope("adjustments:read")),
    row("GET", "/v1/program/versions", Need::Scope("program:read")),
    row("POST", "/v1/program/versions", Need::Scope("program:write")),
    row("GET", "/v1/ledger/journals", Need::Scope("ledger:read")),
    row("GET", "/v1/ledger/entries", Need::Scope("ledger:read")),
    row("GET", "/v1/ledger/export", Need::Scope("ledger:read")),
    row("GET", "/v1/sandbox/clock", Need::Scope("sandbox")),
    row("POST", "/v1/sandbox/clock", Need::Scope("sandbox")),
    row("GET", "/livez", Need::Nothing),
    row("GET", "/readyz", Need::Nothing),
    row("GET", "/metrics", Need::Nothing),
    row("GET", "/openapi.yaml", Need::Nothing),
];

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
    let mut scopes: Vec<&str> = ACCESS
        .iter()
        .filter_map(|access| match access.need {
            Need::Nothing => None,
            Need::Scope(scope) | Need::ScopeOrMember(scope) | Need::ScopeOrOwner(scope) => Some(scope),
        })
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// The methods that an address takes, as `Allow` lists them; none if there is no such address.
pub fn methods(path: &str) -> Option<String> {
    let methods: Vec<&str> = ACCESS.iter().filter(|access| access.path == path).map(|access| access.method).collect();
    (!methods.is_empty()).then(|| methods.join(", ").replace("GET", "GET, HEAD"))
}

/// The address as its handler names it; none if there is no such address. The router reads the path decoded, and so
/// does this.
pub fn pattern(request: &HttpRequest) -> Option<String> {
    request.resource_map().match_pattern(request.match_info().as_str())
}

/// Checks every request against the table before its handler sees it.
pub async fn check(
    service: web::Data<Service>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let pattern = pattern(request.request());
    let row = pattern.as_deref().and_then(|path| {
        ACCESS.iter().find(|access| access.path == path && access.method == request.method().as_str())
    });
    // What is not in the table has no handler but those of the documentation, which needs nothing.
    if let Some(access) = row.filter(|access| access.need != Need::Nothing) {
        match authorise(&service, access, &request) {
            Ok(authorised) => request.extensions_mut().insert(authorised),
            Err(problem) => return Ok(request.into_response(problem.error_response()).map_into_right_body()),
        };
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn authorise(service: &Service, access: &Access, request: &ServiceRequest) -> Result<Authorised, Problem> {
    let values = request.headers().get_all(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let caller = service.authenticator.authenticate_headers(values).map_err(|refusal| {
        let peer = request.peer_addr().map(|peer| peer.ip());
        service.limits.refused_token(refusal, peer)
    })?;
    if let Subject::Member(member) = caller.subject {
        service.limits.member_call(member)?;
    }
    let member = allowed(&caller, access.need, member_in(access.path, request.match_info().as_str()))?;
    Ok(Authorised { caller, member })
}

// What stands in the path where the pattern has `{id}`. The router has not looked at the path yet.
fn member_in<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let place = pattern.split('/').position(|segment| segment == "{id}")?;
    path.split('/').nth(place)
}

// Whether the caller may, and the member that the address names.
fn allowed(caller: &Caller, need: Need, id: Option<&str>) -> Result<Option<MemberId>, Problem> {
    let (scope, open_to_members) = match need {
        Need::Nothing => return Ok(None),
        Need::Scope(scope) => (scope, false),
        Need::ScopeOrMember(scope) | Need::ScopeOrOwner(scope) => (scope, true),
    };
    match &caller.subject {
        Subject::Client(name) if !is_client_name(name) => Err(Problem::new(
            "token_subject_invalid",
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
        Subject::Client(_) => {
            Err(Problem::new("scope_missing", format!("this call needs a client's token with the scope {scope}")))
        }
        Subject::Member(_) if open_to_members => {
            Err(Problem::new("scope_missing", format!("a member's token needs the scope {MEMBER_SCOPE} for this call")))
        }
        Subject::Member(_) => Err(Problem::new("scope_missing", "this call is not open to members' tokens")),
    }
}

// Invariant 8: the name goes into the hashed bytes, where an address or a person's name could never be erased.
fn is_client_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// A member as a body or a query names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// `me`: the token's.
    Me,
    /// By its id.
    Member(MemberId),
}

impl FromStr for Whose {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text == "me" { Ok(Whose::Me) } else { text.parse().map(Whose::Member) }
    }
}

/// A caller that the table lets through.
#[derive(Debug, Clone)]
pub struct Authorised {
    caller: Arc<Caller>,
    member: Option<MemberId>,
}

impl Authorised {
    /// The actor, as entries name it.
    pub fn actor(&self) -> String {
        match &self.caller.subject {
            Subject::Client(name) => format!("client:{name}"),
            Subject::Member(id) => format!("member:{id}"),
        }
    }

    /// Whose own token it is; none for a client's.
    pub fn own(&self) -> Option<MemberId> {
        match self.caller.subject {
            Subject::Client(_) => None,
            Subject::Member(id) => Some(id),
        }
    }

    /// The member that a body means: a client must name one, and a member's token means its own member alone.
    pub fn resolve(&self, whose: Option<Whose>, field: &str) -> Result<MemberId, Problem> {
        self.resolve_or(whose, field, Problem::validation)
    }

    /// As [`Self::resolve`], for the parameter of a query.
    pub fn resolve_parameter(&self, whose: Option<Whose>, name: &str) -> Result<MemberId, Problem> {
        self.resolve_or(whose, name, Problem::parameters)
    }

    fn resolve_or(
        &self,
        whose: Option<Whose>,
        field: &str,
        problem: fn(Vec<Fault>) -> Problem,
    ) -> Result<MemberId, Problem> {
        match (self.own(), whose) {
            (Some(own), None | Some(Whose::Me)) => Ok(own),
            (Some(own), Some(Whose::Member(id))) if own == id => Ok(own),
            (Some(_), Some(Whose::Member(_))) => Err(Problem::member_not_found()),
            (None, Some(Whose::Member(id))) => Ok(id),
            (None, None | Some(Whose::Me)) => Err(problem(vec![Fault {
                path: format!("/{field}"),
                code: "missing".to_owned(),
                message: "is required, and a client has no `me`".to_owned(),
            }])),
        }
    }

    /// The member that the address names.
    pub fn member(&self) -> Result<MemberId, Problem> {
        self.member.ok_or_else(Problem::member_not_found)
    }
}

impl FromRequest for Authorised {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A handler that asks for a caller and stands in the table without a need is a fault of the table.
        let authorised = request.extensions().get::<Authorised>().cloned();
        ready(authorised.ok_or_else(|| Problem::new("scope_missing", "this call is not in the access table")))
    }
}

const fn row(method: &'static str, path: &'static str, need: Need) -> Access {
    Access { method, path, need }
}
