//! What keeps history from being changed (invariant 1), as the database has it: triggers that refuse every change of an
//! append-only table, and a login without the power to change a table or to pass a trigger by.

use std::fmt;

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

use super::statement::statement;

/// The tables that take INSERT only.
pub const APPEND_ONLY: [&str; 3] = ["entry", "further_posting", "program_version"];

/// A power that a login of the service must not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Power {
    /// The login.
    pub role: String,
    /// What it is or may do, as the rest of a sentence.
    pub what: String,
}

/// The worst power that the connection's login has, or may take by becoming another role, over what is written; none
/// for a login that is only a member of `accrue_service`.
pub fn power(connection: &mut PgConnection) -> QueryResult<Option<Power>> {
    let powers: Vec<(String, String)> = LoadPowers { tables: append_only() }.load(connection)?;
    Ok(powers.into_iter().next().map(|(role, what)| Power { role, what }))
}

/// A way past the triggers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// The table's trigger is not there.
    #[error("the table {0} has no trigger {0}_append_only; create it as the migrations do")]
    Missing(String),
    /// The table's trigger does not fire.
    #[error("the trigger {0}_append_only of the table {0} is disabled; ALTER TABLE {0} ENABLE TRIGGER {0}_append_only")]
    Disabled(String),
    /// The table's trigger is another one than the migrations made.
    #[error(
        "the trigger {0}_append_only of the table {0} does not refuse every change; create it as the migrations do"
    )]
    Altered(String),
    /// No trigger fires in sessions with a certain setting.
    #[error("session_replication_role is replica for {0}, so that no trigger fires; RESET it there")]
    PassedBy(String),
}

/// Every way past the triggers; none in a database as the migrations left it.
pub fn gaps(connection: &mut PgConnection) -> QueryResult<Vec<Gap>> {
    let triggers: Vec<(String, String)> = LoadTriggers { tables: append_only() }.load(connection)?;
    let gap = |(table, state): (String, String)| match state.as_str() {
        "missing" => Some(Gap::Missing(table)),
        "disabled" => Some(Gap::Disabled(table)),
        "altered" => Some(Gap::Altered(table)),
        _ => None,
    };
    let replicas: Vec<String> = LoadReplicas {}.load(connection)?;
    Ok(triggers.into_iter().filter_map(gap).chain(replicas.into_iter().map(Gap::PassedBy)).collect())
}

/// Several gaps, as one sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps(pub Vec<Gap>);

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gaps: Vec<String> = self.0.iter().map(Gap::to_string).collect();
        f.write_str(&gaps.join("; also, "))
    }
}

fn append_only() -> Vec<String> {
    APPEND_ONLY.map(str::to_owned).to_vec()
}

statement! {
    // Every role that the session could become counts, whether or not it inherits it or became it already; and every
    // schema in which the tables' names are looked up: whoever may create in one may put another table in the place of
    // the ledger's.
    LoadPowers { tables: Vec<String> => Array<Text> } -> (Text, Text),
    "WITH able AS (SELECT * FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')),
          place AS (
              SELECT d.datdba, d.oid AS database, n.oid AS schema, n.nspname, n.nspowner
              FROM pg_namespace n JOIN pg_database d ON d.datname = current_database()
              WHERE n.nspname = ANY (current_schemas(false)))
     SELECT session_user::text, what FROM (
         SELECT 1 AS n, 'is a superuser or can become one' AS what FROM able WHERE rolsuper
         UNION ALL SELECT 2, 'may make roles, and so become a stronger one' FROM able WHERE rolcreaterole
         UNION ALL SELECT 3, 'may run programs or write files as the database server' FROM able
             WHERE rolname IN ('pg_execute_server_program', 'pg_write_server_files')
         UNION ALL SELECT 4, 'owns the database or can become its owner' FROM able, place WHERE able.oid = datdba
         UNION ALL SELECT 5, format('owns the schema %s or can become its owner', nspname) FROM able, place
             WHERE able.oid = nspowner
         UNION ALL SELECT 6, format('owns the table %s or can become its owner', relname)
             FROM able, place, pg_class WHERE relnamespace = schema AND relowner = able.oid
                 AND relkind IN ('r', 'p', 'v', 'm', 'f')
         UNION ALL SELECT 7, format('owns the function %s or can become its owner', proname)
             FROM able, place, pg_proc WHERE pronamespace = schema AND proowner = able.oid
         UNION ALL SELECT 8, format('may change or remove rows of %s, or add triggers to it', table_name)
             FROM able, UNNEST($1) AS table_name
             WHERE has_table_privilege(able.oid, table_name, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
                 OR has_any_column_privilege(able.oid, table_name, 'UPDATE')
         UNION ALL SELECT 9, format('may create in the schema %s', nspname) FROM able, place
             WHERE has_schema_privilege(able.oid, schema, 'CREATE')
         UNION ALL SELECT 10, 'may create schemas in the database' FROM able, place
             WHERE has_database_privilege(able.oid, database, 'CREATE')
         UNION ALL SELECT 11, 'may set session_replication_role, and so pass triggers by' FROM able
             WHERE has_parameter_privilege(able.oid, 'session_replication_role', 'SET')
     ) AS powers ORDER BY n, what LIMIT 1"
}

statement! {
    // 58: before UPDATE, DELETE and TRUNCATE, once for the statement. The function is compared word for word, since one
    // that catches its own exception would let everything pass.
    LoadTriggers { tables: Vec<String> => Array<Text> } -> (Text, Text),
    r"SELECT wanted.name, CASE
          WHEN t.oid IS NULL THEN 'missing'
          WHEN t.tgenabled NOT IN ('O', 'A') THEN 'disabled'
          WHEN t.tgtype <> 58 OR t.tgqual IS NOT NULL OR t.tgattr::text <> '' OR l.lanname <> 'plpgsql'
              OR btrim(regexp_replace(f.prosrc, '\s+', ' ', 'g')) <> concat(
                  'BEGIN RAISE EXCEPTION ''% of % refused: history is append-only'', TG_OP, TG_TABLE_NAME ',
                  'USING ERRCODE = ''restrict_violation'', HINT = ''Correct mistakes with new entries.''; END')
              THEN 'altered'
          ELSE 'right' END
      FROM UNNEST($1) AS wanted (name)
      LEFT JOIN pg_trigger t
          ON t.tgrelid = to_regclass(wanted.name) AND t.tgname = wanted.name || '_append_only' AND NOT t.tgisinternal
      LEFT JOIN pg_proc f ON f.oid = t.tgfoid LEFT JOIN pg_language l ON l.oid = f.prolang
      ORDER BY wanted.name"
}

statement! {
    // A setting of this session may come from its login, the database, the server or the URL.
    LoadReplicas {} -> Text,
    "SELECT 'this login'::text WHERE current_setting('session_replication_role') = 'replica'
     UNION ALL
     SELECT CASE WHEN s.setrole = 0 THEN 'the database' ELSE format('the role %s in this database', r.rolname) END
     FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
     LEFT JOIN pg_roles r ON r.oid = s.setrole
     WHERE 'session_replication_role=replica' = ANY (s.setconfig)"
}
