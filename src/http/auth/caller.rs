//! Whom a verified token stands for.

use std::fmt;

use crate::domain::ids::MemberId;

/// The most scopes one token may carry.
pub(super) const MAX_SCOPES: usize = 64;

/// Who calls: a client (a service) by its `sub`, or a member.
#[derive(Clone, PartialEq, Eq)]
pub enum Subject {
    /// A service of the shop, by the token's `sub`.
    Client(String),
    /// A member, by the token's `member` claim.
    Member(MemberId),
}

/// The bearer of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub subject: Subject,
    /// What the token allows.
    pub scopes: Scopes,
}

/// What a token allows: a small sorted set of scope names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scopes(Box<[Box<str>]>);

impl Scopes {
    /// Reads scope names separated by spaces, as the `scope` claim has them (RFC 8693, section 4.2).
    pub fn parse(text: &str) -> Scopes {
        text.split(' ').collect()
    }

    /// Whether `scope` is among them, letter for letter.
    pub fn allows(&self, scope: &str) -> bool {
        self.0.binary_search_by(|own| (**own).cmp(scope)).is_ok()
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Scopes {
        let mut names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        Scopes(names.into_iter().map(Box::from).collect())
    }
}

/// The names separated by spaces, as the `scope` claim has them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

/// Shows the kind only: a claim's value has no place in a log.
impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Subject::Client(_) => "Client(..)",
            Subject::Member(_) => "Member(..)",
        })
    }
}

/// Shows how many there are: a claim's value has no place in a log.
impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({} of them)", self.len())
    }
}
