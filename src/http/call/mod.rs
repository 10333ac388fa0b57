//! What a call of the API is: a row of a table, from which its route, its access, its document and its tests follow.
//!
//! Every resource has its rows in a constant `CALLS`, beside their handlers. A row says only what its shape does not: see
//! [`Call::codes`] for what follows from it.

mod codes;
pub mod forms;
mod parameter;
mod shape;

use actix_web::Route;

pub use self::parameter::Parameter;
pub use self::shape::{Answer, Example, Shape, Takes};
use super::code::HttpCode;
use crate::domain::refusal::RefusalCode;

/// A call.
#[derive(Clone, Copy)]
pub struct Call {
    /// Its name for programs, and of its handler.
    pub name: &'static str,
    /// The method.
    pub verb: Verb,
    /// The address; what changes in it stands in braces.
    pub path: &'static str,
    /// What the caller must have.
    pub need: Need,
    /// What makes two requests the same one.
    pub key: Key,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What else there is to say, in Markdown.
    pub about: &'static str,
    /// The parameters of the query, in groups, since some are shared.
    pub query: &'static [&'static [Parameter]],
    /// The body of the request.
    pub takes: Option<Takes>,
    /// What a success answers.
    pub answer: Answer,
    /// How the rules may refuse it, besides what follows from its shape.
    pub refusals: &'static [RefusalCode],
    /// The other problems that it may answer, besides what follows from its shape.
    pub problems: &'static [HttpCode],
    /// Its handler, such as `|| web::to(get_order)`.
    pub handler: fn() -> Route,
}

impl Call {
    /// What the rows leave out: no key, no query, no body, no problems of its own.
    pub const REST: Call = Call {
        name: "",
        verb: Verb::Get,
        path: "",
        need: Need::Nothing,
        key: Key::None,
        summary: "",
        about: "",
        query: &[],
        takes: None,
        answer: Answer::text(&[], ""),
        refusals: &[],
        problems: &[],
        handler: Route::new,
    };

    /// The method, as it is written.
    pub fn method(&self) -> &'static str {
        self.verb.name()
    }

    /// Does it change anything?
    pub fn writes(&self) -> bool {
        matches!(self.verb, Verb::Patch | Verb::Post)
    }

    /// Does it answer what the ledger holds, so that it matters how far behind a standby is?
    pub fn reads(&self) -> bool {
        !self.writes() && self.need != Need::Nothing
    }

    /// What the call belongs to: `orders`, `members`, …; `operations` outside of `/v1`.
    pub fn tag(&self) -> &'static str {
        match self.path.strip_prefix("/v1/") {
            Some(path) => path.split('/').next().unwrap_or(path),
            None => "operations",
        }
    }

    /// The names of what changes in its address.
    pub fn places(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The parameters of its query.
    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        self.query.iter().copied().flatten()
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method(), self.path)
    }
}

/// What a call does, and by which method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads. `HEAD` is taken too.
    Get,
    /// Asks with a body, and changes nothing: `POST`, since what is asked does not fit into an address.
    Ask,
    /// Changes what is there.
    Patch,
    /// Adds something, or makes something happen.
    Post,
}

impl Verb {
    /// The method, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Patch => "PATCH",
            Verb::Ask | Verb::Post => "POST",
        }
    }
}

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
    /// see [`super::caller::Authorised::own`] and [`super::caller::Authorised::resolve`].
    ScopeOrOwner(&'static str),
}

impl Need {
    /// The scope that it asks of a client.
    pub fn scope(self) -> Option<&'static str> {
        match self {
            Need::Nothing => None,
            Need::Scope(scope) | Need::ScopeOrMember(scope) | Need::ScopeOrOwner(scope) => Some(scope),
        }
    }

    /// Is it open to members' tokens?
    pub fn open_to_members(self) -> bool {
        matches!(self, Need::ScopeOrMember(_) | Need::ScopeOrOwner(_))
    }
}

/// What makes two requests the same one, so that the second gets the answer of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Nothing: the call reads, or does its work again.
    None,
    /// Its `Idempotency-Key`, which it needs.
    Required,
    /// A key of its own, which this names; an `Idempotency-Key` may stand beside it.
    Natural(&'static str),
}
