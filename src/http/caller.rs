//! The caller of a call, as its handler knows it.

use std::future::{Ready, ready};
use std::str::FromStr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::auth::{Caller, Subject};
use super::code::HttpCode;
use super::problem::Problem;
use crate::domain::fields::Fault;
use crate::domain::ids::{MemberId, NotAnId};

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
    /// A caller, and the member that the address names, if it names one.
    pub fn new(caller: Arc<Caller>, member: Option<MemberId>) -> Self {
        Self { caller, member }
    }

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

    /// The same where a client may name none: a visitor, who is no member.
    pub fn resolve_or_visitor(&self, whose: Option<Whose>, field: &str) -> Result<Option<MemberId>, Problem> {
        match (self.own(), whose) {
            (None, None) => Ok(None),
            _ => self.resolve(whose, field).map(Some),
        }
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
        ready(authorised.ok_or_else(|| Problem::new(HttpCode::ScopeMissing, "this call is not in the access table")))
    }
}
