//! What every cluster holds before the schema does: roles and databases.

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Text;
use secrecy::ExposeSecret;

use super::error::ClusterError;
use super::secrets::{LOGIN, Secrets};
use crate::postgres::statement::statement;

/// The role that privileges are granted to. Nobody logs in as it.
const SERVICE: &str = "accrue_service";

const MAX_NAME: usize = 63;

/// Creates the service's roles unless they are there, and sets the password.
pub(super) fn ensure_roles(connection: &mut PgConnection, secrets: &Secrets) -> Result<(), ClusterError> {
    let password = secrets.service.expose_secret();
    connection
        .batch_execute(&format!(
            "DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVICE}') THEN
                    CREATE ROLE {SERVICE} NOLOGIN;
                END IF;
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{LOGIN}') THEN
                    CREATE ROLE {LOGIN} LOGIN IN ROLE {SERVICE};
                END IF;
            END $$;
            ALTER ROLE {LOGIN} LOGIN PASSWORD '{password}';
            GRANT {SERVICE} TO {LOGIN};"
        ))
        .map_err(|source| ClusterError::Sql { doing: "set up the roles", source })
}

/// Refuses a name that would need quoting, or that Postgres would cut.
pub(super) fn check_database_name(name: &str) -> Result<(), ClusterError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(ClusterError::InvalidDatabaseName { name: name.to_owned() }),
    }
}

/// Creates the database `name`, which has been checked, unless there is one.
pub(super) fn ensure_database(connection: &mut PgConnection, name: &str) -> Result<(), ClusterError> {
    let failed = |source| ClusterError::Sql { doing: "create a database", source };
    let existing: Vec<String> = FindDatabase { name: name.to_owned() }.load(connection).map_err(failed)?;
    if !existing.is_empty() {
        return Ok(());
    }
    match connection.batch_execute(&format!("CREATE DATABASE \"{name}\"")) {
        Ok(()) => Ok(()),
        // Somebody else created it in between.
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(()),
        Err(Error::DatabaseError(_, info)) if info.message().ends_with("already exists") => Ok(()),
        Err(source) => Err(failed(source)),
    }
}

statement! {
    FindDatabase { name: String => Text } -> Text,
    "SELECT datname::text FROM pg_database WHERE datname = $1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_name_needs_no_quoting_and_no_cutting() {
        for good in ["a", "shop_2", &"x".repeat(63)] {
            assert!(check_database_name(good).is_ok(), "{good}");
        }
        for bad in ["", "Shop", "a-b", "a\"b", "ä", &"x".repeat(64)] {
            assert!(check_database_name(bad).is_err(), "{bad}");
        }
    }
}
