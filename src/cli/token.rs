//! `accrue token`

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::args::{ClaimArgs, DatabaseArgs, Role, TokenArgs};
use crate::domain::ids::MemberId;
use crate::http::access;
use crate::http::auth::{DevelopmentKey, Scopes, TokenClaims};
use crate::postgres::cluster::resolve_data_dir;

/// Prints a token and nothing else.
pub fn run(database: &DatabaseArgs, args: &TokenArgs) -> Result<()> {
    let key = development_key(&database.data_dir)?;
    let (subject, scopes, member) = match (args.role, &args.scope) {
        (Some(role), _) => (subject(role), scopes(role), args.member.filter(|_| role == Role::Member)),
        (None, Some(scope)) => ("development", Scopes::parse(scope), None),
        (None, None) => unreachable!("the arguments ask for one of the two"),
    };
    let token = issue(&key, &args.claims, (subject, scopes, member), args.ttl)?;
    Ok(writeln!(io::stdout(), "{token}")?)
}

/// The development key of a data folder, made at the first call.
pub fn development_key(data_dir: &Path) -> Result<DevelopmentKey> {
    let data_dir = resolve_data_dir(data_dir)?;
    DevelopmentKey::load_or_create(&data_dir).context("the development key cannot be used")
}

/// A token for one of the three clients, or the operator.
pub fn issue_role(
    key: &DevelopmentKey,
    claims: &ClaimArgs,
    role: Role,
    member: Option<MemberId>,
    ttl: Duration,
) -> Result<String> {
    issue(key, claims, (subject(role), scopes(role), member), ttl)
}

fn issue(
    key: &DevelopmentKey,
    claims: &ClaimArgs,
    (subject, scopes, member): (&str, Scopes, Option<MemberId>),
    ttl: Duration,
) -> Result<String> {
    let claims = TokenClaims {
        issuer: claims.issuer.clone(),
        audience: claims.audience.clone(),
        subject: subject.to_owned(),
        member,
        scopes,
        issued_at: SystemTime::now(),
        ttl,
    };
    Ok(key.issue(&claims)?)
}

fn subject(role: Role) -> &'static str {
    match role {
        Role::Checkout => "checkout",
        Role::Finance => "finance",
        Role::Operator => "operator",
        Role::Member => "app",
    }
}

fn scopes(role: Role) -> Scopes {
    match role {
        Role::Checkout => Scopes::parse(access::CHECKOUT_SCOPES),
        Role::Finance => Scopes::parse(access::FINANCE_SCOPES),
        Role::Operator => access::all_scopes().into_iter().collect(),
        Role::Member => Scopes::parse(access::MEMBER_SCOPE),
    }
}
