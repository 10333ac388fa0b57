//! Idempotency keys that are taken.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

use super::ReadError;
use crate::postgres::statement::statement;

/// Those of `keys` that `caller` has used for `operation`. Not for long lists: they are looked up at once.
pub fn taken(
    connection: &mut PgConnection,
    (caller, operation): (&str, &str),
    keys: Vec<String>,
) -> Result<HashSet<String>, ReadError> {
    let load = LoadTaken { caller: caller.to_owned(), operation: operation.to_owned(), keys };
    let rows: Vec<String> = load.load(connection)?;
    Ok(rows.into_iter().collect())
}

statement! {
    LoadTaken { caller: String => Text, operation: String => Text, keys: Vec<String> => Array<Text> } -> Text,
    "SELECT i.key FROM UNNEST($3) AS wanted (key)
     CROSS JOIN LATERAL (
         SELECT key FROM idempotency WHERE caller = $1 AND operation = $2 AND key = wanted.key OFFSET 0
     ) AS i"
}
