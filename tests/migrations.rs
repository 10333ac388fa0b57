//! Every migration can be taken back.

use accrue::postgres::migrate::{self, MIGRATIONS};
use diesel_migrations::MigrationHarness;

use crate::support::{Database, sql};

#[test]
fn migrations_go_down_to_nothing_and_up_again() {
    let database = Database::new();
    let mut owner = database.owner();
    let before = sql::texts(&mut owner, SHAPE);
    owner.revert_all_migrations(MIGRATIONS).unwrap();
    let left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                AND relname <> '__diesel_schema_migrations'";
    assert_eq!(sql::texts(&mut owner, left), Vec::<String>::new());
    let ran = migrate::run(&mut owner).unwrap();
    assert_eq!(ran.last(), Some(&migrate::latest()));
    assert_eq!(sql::texts(&mut owner, SHAPE), before);
    assert_eq!(migrate::run(&mut owner).unwrap(), Vec::<String>::new(), "there is nothing left to run");
}

// Columns, indexes, triggers and grants.
const SHAPE: &str = "
    SELECT concat_ws(' ', attrelid::regclass, attname, atttypid::regtype, attnotnull) FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat_ws(' ', grantee, table_name, privilege_type) FROM information_schema.table_privileges
    WHERE table_schema = 'public' ORDER BY 1";
