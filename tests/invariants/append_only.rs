//! Invariant 1: nothing changes once written.

use accrue::ledger::{Ledger, LedgerConfig, OpenError};
use diesel::connection::SimpleConnection;

use crate::support::{App, Database, sql};

const CHANGES: [&str; 8] = [
    "UPDATE entry SET payload = payload WHERE false",
    "UPDATE posting SET points = points + 1",
    "DELETE FROM entry WHERE false",
    "DELETE FROM posting",
    "TRUNCATE entry",
    "TRUNCATE posting",
    "INSERT INTO entry SELECT * FROM entry ON CONFLICT (journal, seq) DO UPDATE SET payload = '{}'",
    "MERGE INTO posting p USING posting q ON p.seq = q.seq AND p.journal = q.journal WHEN MATCHED THEN DELETE",
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
    let strong: [(&str, &str); 12] = [
        ("superuser", "ALTER ROLE {role} SUPERUSER"),
        ("owner", "ALTER TABLE posting OWNER TO {role}"),
        (
            "owners_member",
            "CREATE ROLE {role}_group; ALTER TABLE entry OWNER TO {role}_group; GRANT {role}_group TO {role}",
        ),
        (
            "owners_noinherit",
            "CREATE ROLE {role}_group; ALTER ROLE {role} NOINHERIT; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; ALTER TABLE entry OWNER TO {role}_group; GRANT {role}_group TO {role}",
        ),
        ("updater", "GRANT UPDATE ON entry TO {role}"),
        ("posting_updater", "GRANT UPDATE ON posting TO {role}"),
        ("deleter", "GRANT DELETE ON posting TO {role}"),
        ("truncater", "GRANT TRUNCATE ON entry TO {role}"),
        ("triggerer", "GRANT TRIGGER ON entry TO {role}"),
        ("column_updater", "GRANT UPDATE (payload) ON entry TO {role}"),
        ("posting_column", "GRANT UPDATE (points) ON posting TO {role}"),
        (
            "granted_by_group",
            "CREATE ROLE {role}_group; GRANT DELETE ON entry TO {role}_group; GRANT {role}_group TO {role}",
        ),
    ];
    for (name, grant) in strong {
        let role = Role::new(&database, name);
        Ledger::open(LedgerConfig::new(role.url())).expect("a member of accrue_service and no more may write").close();
        role.alter(grant);
        match Ledger::open(LedgerConfig::new(role.url())) {
            Err(OpenError::RoleTooStrong { role: found, .. }) => assert_eq!(found, role.name),
            Err(other) => panic!("{name}: {other:?}"),
            Ok(_) => panic!("{name}: the ledger opened"),
        }
    }
    assert!(matches!(Ledger::open(LedgerConfig::new(database.owner_url())), Err(OpenError::RoleTooStrong { .. })));
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

    fn alter(&self, sql: &str) {
        self.database.owner().batch_execute(&sql.replace("{role}", &self.name)).expect("a superuser may");
    }

    fn url(&self) -> String {
        let url = self.database.owner_url();
        let at = url.find('@').expect("the URL has a login");
        format!("postgres://{}:secret{}", self.name, &url[at..])
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let drop = "ALTER TABLE entry OWNER TO accrue_owner; ALTER TABLE posting OWNER TO accrue_owner;
                    DROP OWNED BY {role}; DROP ROLE {role}";
        let mut owner = self.database.owner();
        let _ = owner.batch_execute(&drop.replace("{role}", &self.name));
        let _ =
            owner.batch_execute(&"DROP OWNED BY {role}_group; DROP ROLE {role}_group".replace("{role}", &self.name));
    }
}
