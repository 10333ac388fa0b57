//! Looking at tables as they are.

use diesel::sql_types::{Nullable, Text};
use diesel::{PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

/// The texts of a query with one column; an empty text for NULL.
pub fn texts(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    try_texts(connection, sql).unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// As [`texts`], of a database that may be away.
pub fn try_texts(connection: &mut PgConnection, sql: &str) -> QueryResult<Vec<String>> {
    let rows: Vec<Row> = sql_query(format!("SELECT value::text FROM ({sql}) AS query (value)")).load(connection)?;
    Ok(rows.into_iter().map(|row| row.value.unwrap_or_default()).collect())
}

/// The text of a query with one row and one column.
pub fn text(connection: &mut PgConnection, sql: &str) -> String {
    let [text] = <[String; 1]>::try_from(texts(connection, sql)).unwrap_or_else(|rows| panic!("{rows:?}: {sql}"));
    text
}

/// The number that a query with one row and one column gives.
pub fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    let text = text(connection, sql);
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number: {sql}"))
}

/// Every row of every table, so that two databases can be compared. A tier that nobody has any more may have left a row.
pub fn dump(connection: &mut PgConnection) -> Vec<String> {
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let tables = texts(connection, tables);
    let rows = tables.iter().flat_map(|table| {
        let those = if table == "tier_total" { "members > 0" } else { "true" };
        let rows = texts(connection, &format!("SELECT t::text FROM {table} t WHERE {those} ORDER BY 1"));
        rows.into_iter().map(move |row| format!("{table} {row}"))
    });
    rows.collect()
}
