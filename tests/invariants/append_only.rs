//! Invariant 1: nothing changes once written.

use accrue::ledger::{Ledger, LedgerConfig, OpenError};
use accrue::postgres::connect;
use accrue::read::verify::{self, NotVerified};
use diesel::connection::SimpleConnection;

use crate::support::{App, Database, sql};

const CHANGES: [&str; 8] = [
    "UPDATE entry SET payload = payload WHERE false",
    "UPDATE further_posting SET points = points + 1",
    "DELETE FROM entry WHERE false",
    "DELETE FROM further_posting",
    "TRUNCATE entry",
    "TRUNCATE further_posting",
    "INSERT INTO entry SELECT * FROM entry ON CONFLICT (journal, seq) DO UPDATE SET payload = '{}'",
    "MERGE INTO further_posting p USING further_posting q ON p.seq = q.seq AND p.journal = q.journal WHEN MATCHED THEN DELETE",
];

#[test]
fn entries_and_postings_take_insert_only_from_the_service_and_from_the_owner() {
    let app = App::at("2026-03-10T12:00:00Z");
    let member = app.enrol("ana");
    assert_eq!(app.checkout().post("/v1/orders", &app.order(&member, "A-1", "2026-03-10T11:00:00Z", "5")).status, 201);
    let before = sql::dump(&mut app.owner());
    for change in CHANGES {
        let refusal = app.database.service().batch_execute(change).expect_err(change).to_string();
        assert!(refusal.contains("permission denied"), "{change}: {refusal}");
        let refusal = app.owner().batch_execute(change).expect_err(change).to_string();
        assert!(refusal.contains("append-only"), "{change}: {refusal}");
    }
    assert_eq!(sql::dump(&mut app.owner()), before);
}

#[test]
fn keys_and_programme_versions_stay_whatever_becomes_of_the_answers() {
    let app = App::at("2026-03-10T12:00:00Z");
    let answer = app.checkout().post_keyed("/v1/members", "key", &serde_json::json!({ "external_id": "ana" }));
    assert_eq!(answer.status, 201, "{answer:?}");
    // What is personal in an answer can be emptied: `request_hash`, `refused` and `outcome` are open.
    let key = ["journal", "recorded_at", "caller", "operation", "key", "member"].map(|column| ("idempotency", column));
    let version = ["journal", "version", "effective_at", "published_at", "document"];
    let updates = key.into_iter().chain(version.map(|column| ("program_version", column)));
    let updates = updates.map(|(table, column)| format!("UPDATE {table} SET {column} = {column}"));
    let removals =
        ["DELETE FROM", "TRUNCATE"].map(|verb| ["idempotency", "program_version"].map(|t| format!("{verb} {t}")));
    for change in updates.chain(removals.into_iter().flatten()) {
        let refusal = app.database.service().batch_execute(&change).expect_err(&change).to_string();
        assert!(refusal.contains("permission denied"), "{change}: {refusal}");
        if change.contains("program_version") {
            let refusal = app.owner().batch_execute(&change).expect_err(&change).to_string();
            assert!(refusal.contains("append-only"), "{change}: {refusal}");
        }
    }
}

#[test]
fn a_ledger_does_not_open_for_a_role_that_could_change_history() {
    let database = Database::new();
    // The role's name, what makes it strong, and what it is refused for.
    let strong: [(&str, &str, &str); 29] = [
        ("superuser", "ALTER ROLE {role} SUPERUSER", "is a superuser or can become one"),
        (
            "superusers_member",
            "CREATE ROLE {role}_group SUPERUSER; GRANT {role}_group TO {role}",
            "is a superuser or can become one",
        ),
        ("role_maker", "ALTER ROLE {role} CREATEROLE", "may make roles"),
        ("programs", "GRANT pg_execute_server_program TO {role}", "may run programs or write files"),
        ("files", "GRANT pg_write_server_files TO {role}", "may run programs or write files"),
        // It begins as another role, and can go back.
        (
            "disguised",
            "ALTER ROLE {role} SUPERUSER; ALTER ROLE {role} SET role = accrue_service",
            "is a superuser or can become one",
        ),
        ("database_owner", "ALTER DATABASE {database} OWNER TO {role}", "owns the database"),
        (
            "database_owners_member",
            "CREATE ROLE {role}_group; ALTER DATABASE {database} OWNER TO {role}_group; GRANT {role}_group TO {role}",
            "owns the database",
        ),
        ("schema_owner", "ALTER SCHEMA public OWNER TO {role}", "owns the schema public"),
        ("own_schema", "CREATE SCHEMA {role} AUTHORIZATION {role}", "owns the schema strong_own_schema"),
        ("owner", "ALTER TABLE further_posting OWNER TO {role}", "owns the table further_posting"),
        (
            "owners_member",
            "CREATE ROLE {role}_group; ALTER TABLE entry OWNER TO {role}_group; GRANT {role}_group TO {role}",
            "owns the table entry",
        ),
        (
            "owners_noinherit",
            "CREATE ROLE {role}_group; ALTER ROLE {role} NOINHERIT; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; ALTER TABLE entry OWNER TO {role}_group; GRANT {role}_group TO {role}",
            "owns the table entry",
        ),
        ("version_owner", "ALTER TABLE program_version OWNER TO {role}", "owns the table program_version"),
        ("wallet_owner", "ALTER TABLE wallet OWNER TO {role}", "owns the table wallet"),
        (
            "parts_owner",
            "CREATE TABLE {role} (n int) PARTITION BY RANGE (n); ALTER TABLE {role} OWNER TO {role}",
            "owns the table strong_parts_owner",
        ),
        (
            "view_owner",
            "CREATE VIEW {role} AS SELECT 1; ALTER VIEW {role} OWNER TO {role}",
            "owns the table strong_view_owner",
        ),
        ("function_owner", "ALTER FUNCTION refuse_change OWNER TO {role}", "owns the function refuse_change"),
        ("updater", "GRANT UPDATE ON entry TO {role}", "may change or remove rows of entry"),
        (
            "version_updater",
            "GRANT UPDATE ON program_version TO {role}",
            "may change or remove rows of program_version",
        ),
        ("deleter", "GRANT DELETE ON further_posting TO {role}", "may change or remove rows of further_posting"),
        ("truncater", "GRANT TRUNCATE ON entry TO {role}", "may change or remove rows of entry"),
        ("triggerer", "GRANT TRIGGER ON entry TO {role}", "add triggers"),
        ("column_updater", "GRANT UPDATE (payload) ON entry TO {role}", "may change or remove rows of entry"),
        (
            "granted_by_group",
            "CREATE ROLE {role}_group; GRANT DELETE ON entry TO {role}_group; GRANT {role}_group TO {role}",
            "may change or remove rows of entry",
        ),
        ("writes_all", "GRANT pg_write_all_data TO {role}", "may change or remove rows of entry"),
        ("schema_creator", "GRANT CREATE ON SCHEMA public TO {role}", "may create in the schema public"),
        ("database_creator", "GRANT CREATE ON DATABASE {database} TO {role}", "may create schemas in the database"),
        ("replica", "GRANT SET ON PARAMETER session_replication_role TO {role}", "may set session_replication_role"),
    ];
    for (name, grant, reason) in strong {
        let role = Role::new(&database, name);
        Ledger::open(LedgerConfig::new(role.url())).expect("a member of accrue_service and no more may write").close();
        role.alter(grant);
        match Ledger::open(LedgerConfig::new(role.url())) {
            Err(refusal @ OpenError::RoleTooStrong(_)) => {
                let said = refusal.to_string();
                assert!(said.starts_with(&format!("the role {} ", role.name)) && said.contains(reason), "{said}");
            }
            Err(other) => panic!("{name}: {other:?}"),
            Ok(_) => panic!("{name}: the ledger opened"),
        }
    }
    assert!(matches!(Ledger::open(LedgerConfig::new(database.owner_url())), Err(OpenError::RoleTooStrong(_))));
}

#[test]
fn a_ledger_does_not_open_where_anybody_may_create_in_its_schema() {
    let database = Database::new();
    database.owner().batch_execute("GRANT CREATE ON SCHEMA public TO PUBLIC").unwrap();
    let refusal = Ledger::open(LedgerConfig::new(database.service_url())).err().expect("it does not open");
    assert!(refusal.to_string().contains("may create in the schema public"), "{refusal}");
}

#[test]
fn a_ledger_whose_triggers_do_not_all_fire_does_not_open_and_verification_says_which() {
    const ALTERED: &str =
        "the trigger further_posting_append_only of the table further_posting does not refuse every change";
    for (change, said) in [
        ("ALTER TABLE entry DISABLE TRIGGER USER", "the trigger entry_append_only of the table entry is disabled"),
        ("ALTER TABLE further_posting DISABLE TRIGGER further_posting_append_only", "the table further_posting is disabled"),
        ("ALTER TABLE program_version DISABLE TRIGGER ALL", "the table program_version is disabled"),
        ("ALTER TABLE entry ENABLE REPLICA TRIGGER entry_append_only", "the table entry is disabled"),
        ("DROP TRIGGER entry_append_only ON entry", "the table entry has no trigger entry_append_only"),
        ("ALTER TRIGGER further_posting_append_only ON further_posting RENAME TO other", "the table further_posting has no trigger"),
        (
            "DROP TRIGGER further_posting_append_only ON further_posting; CREATE TRIGGER further_posting_append_only BEFORE UPDATE OR DELETE ON
             further_posting FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
            ALTERED,
        ),
        (
            "DROP TRIGGER further_posting_append_only ON further_posting; CREATE TRIGGER further_posting_append_only BEFORE UPDATE OR DELETE OR
             TRUNCATE ON further_posting FOR EACH STATEMENT WHEN (current_user <> 'eve') EXECUTE FUNCTION refuse_change()",
            ALTERED,
        ),
        (
            "DROP TRIGGER further_posting_append_only ON further_posting; CREATE TRIGGER further_posting_append_only BEFORE UPDATE OF points OR
             DELETE OR TRUNCATE ON further_posting FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
            ALTERED,
        ),
        (
            "CREATE LANGUAGE another HANDLER plpgsql_call_handler; DO $$ BEGIN EXECUTE format(
                 'CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE another AS %L',
                 (SELECT prosrc FROM pg_proc WHERE proname = 'refuse_change')); END $$",
            ALTERED,
        ),
        (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'no'; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$",
            ALTERED,
        ),
        ("ALTER DATABASE {database} SET session_replication_role = replica", "replica for the database"),
        ("ALTER ROLE accrue IN DATABASE {database} SET session_replication_role = replica", "replica for this login"),
        (
            "ALTER ROLE accrue_owner IN DATABASE {database} SET session_replication_role = replica",
            "replica for the role accrue_owner in this database",
        ),
    ] {
        let database = Database::new();
        let mut auditor = connect::auditor(&database.service_url()).unwrap();
        verify::database(&mut auditor, |_| {}).unwrap();
        let mut owner = database.owner();
        let name = sql::text(&mut owner, "SELECT current_database()");
        owner.batch_execute(&change.replace("{database}", &name)).unwrap();
        match Ledger::open(LedgerConfig::new(database.service_url())) {
            Err(refusal @ OpenError::Unguarded(_)) => assert!(refusal.to_string().contains(said), "{refusal}"),
            Err(other) => panic!("{change}: {other:?}"),
            Ok(_) => panic!("{change}: the ledger opened"),
        }
        let mut auditor = connect::auditor(&database.service_url()).unwrap();
        match verify::database(&mut auditor, |_| {}) {
            Err(wrong @ NotVerified::Unguarded(_)) => assert!(wrong.to_string().contains(said), "{wrong}"),
            other => panic!("{change}: {other:?}"),
        }
    }
    let database = Database::new();
    database.owner().batch_execute("ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_append_only").unwrap();
    Ledger::open(LedgerConfig::new(database.service_url())).expect("a trigger that fires always is no gap").close();
}

/// A login in the run's cluster. Roles belong to all of its databases, so it goes away with its value.
struct Role<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> Role<'a> {
    fn new(database: &'a Database, name: &str) -> Self {
        let role = Self { database, name: format!("strong_{name}") };
        role.alter("CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE accrue_service");
        role
    }

    fn alter(&self, statements: &str) {
        let mut owner = self.database.owner();
        let database = sql::text(&mut owner, "SELECT current_database()");
        let statements = statements.replace("{role}", &self.name).replace("{database}", &database);
        owner.batch_execute(&statements).expect("a superuser may");
    }

    fn url(&self) -> String {
        let url = self.database.owner_url();
        let at = url.find('@').expect("the URL has a login");
        format!("postgres://{}:secret{}", self.name, &url[at..])
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let drop = "REASSIGN OWNED BY {role} TO accrue_owner; DROP OWNED BY {role}; DROP ROLE {role}";
        let mut owner = self.database.owner();
        for name in [self.name.clone(), format!("{}_group", self.name)] {
            let _ = owner.batch_execute(&drop.replace("{role}", &name));
        }
    }
}
