//! How statements are planned: alike on new tables, on grown ones, and on analysed ones, by indexes that fit.
//!
//! The planner knows nothing of a table before it is analysed, and a plan that it made then may be kept while the table
//! grows. A statement that always has the same plan is as quick on the last day as on the first.

use std::collections::{BTreeMap, BTreeSet};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{PgConnection, QueryableByName, RunQueryDsl};
use postgres::{Client, NoTls};

use super::{Registered, with_cluster};
use crate::postgres::connect::{self, PlanCacheMode};
use crate::postgres::migrate;

/// Statements that read more than an index finds, or have two plans, by how their names begin, each with the reason why
/// they may.
const MAY: [(&str, &str); 7] = [
    ("accrue::ledger::setup::AddJournals", "journals are few, and all are looked at"),
    ("accrue::ledger::setup::LoadJournals", "journals are few, and all are looked at"),
    ("accrue::read::entries::LoadHeads", "journals are few, and all are looked at"),
    ("accrue::read::future::LoadHeadsAfter", "journals are few, and all are looked at"),
    (
        "accrue::read::future::LoadFirstAfter",
        "verification reads a journal that lies in the future to where that begins",
    ),
    ("accrue::read::compare::", "verification reads everything"),
    ("accrue::read::verify::", "verification reads everything"),
];

/// What tables are as a ledger grows, and how each comes of the one before.
const STATES: [(&str, &str); 3] = [("new", ""), ("grown", include_str!("rows.sql")), ("analysed", "ANALYZE")];

#[test]
fn every_statement_is_planned_alike_whatever_the_planner_knows_of_its_tables_and_by_indexes_that_fit() {
    with_cluster("plans", |cluster| {
        cluster.ensure_database("accrue").expect("a database can be made");
        let url = cluster.owner_url("accrue");
        migrate::run(&mut connect::plain(&url).expect("it answers")).expect("it can be migrated");
        let mut owner = Client::connect(&url, NoTls).expect("it answers");
        let (mut planner, shapes) = (Planner::of(&url), shapes(&mut owner));
        let mut plans: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
        for (_, change) in STATES {
            owner.batch_execute(change).expect("it can be changed");
            for statement in inventory::iter::<Registered> {
                plans.entry(statement.name).or_default().push(planner.plan(statement));
            }
        }

        let (mut faults, mut listed, mut seen) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for (name, plans) in plans {
            let scans: Vec<BTreeSet<Scan>> = plans.iter().map(|plan| scans(plan, &shapes)).collect();
            seen.extend(scans.iter().flatten().map(|scan| scan.name.clone()));
            let fault = match scans.iter().flatten().all(|scan| scan.fits(&shapes)) {
                false => "reads more than an index finds",
                true if scans.iter().any(|some| *some != scans[0]) => "is not always planned alike",
                true => continue,
            };
            if let Some((begins, _)) = MAY.iter().find(|(begins, _)| name.starts_with(begins)) {
                listed.insert(*begins);
                continue;
            }
            let shown = STATES.iter().zip(plans).map(|((state, _), plan)| {
                let plan = plan.join("\n  ");
                format!("On {state} tables:\n  {plan}")
            });
            faults.push(format!("{name} {fault}."));
            faults.extend(shown);
        }
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
        let idle: Vec<_> = MAY.iter().filter(|(begins, _)| !listed.contains(begins)).collect();
        assert!(idle.is_empty(), "{idle:?} need not be listed");
        assert!(seen.len() > 20, "plans are read in another form: {seen:?}");
    });
}

/// Where a plan looks: a table that it reads from end to end, or an index with those of its columns that the condition
/// names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Scan {
    name: String,
    columns: Vec<String>,
}

/// The columns of every index, in their order; of a table none.
type Shapes = BTreeMap<String, Vec<String>>;

impl Scan {
    // A condition on the first columns of an index finds its rows side by side. Those of one journal are all its rows.
    fn fits(&self, shapes: &Shapes) -> bool {
        let begins = shapes.get(&self.name).is_some_and(|columns| columns.starts_with(&self.columns));
        begins && !self.columns.is_empty() && self.columns != ["journal"]
    }
}

// The lines of a plan name a table or an index, and then the condition, where each column of the index stands without the
// name of a table.
fn scans(plan: &[String], shapes: &Shapes) -> BTreeSet<Scan> {
    let mut scans: Vec<Scan> = Vec::new();
    for line in plan.iter().map(|line| line.trim_start_matches([' ', '-', '>'])) {
        if let (Some(condition), Some(scan)) = (line.strip_prefix("Index Cond: "), scans.last_mut()) {
            let within = |letter: char| letter.is_alphanumeric() || "_.'".contains(letter);
            let words: Vec<&str> = condition.split(|letter| !within(letter)).collect();
            let columns = shapes.get(&scan.name).into_iter().flatten();
            scan.columns = columns.filter(|column| words.contains(&column.as_str())).cloned().collect();
            continue;
        }
        let whole = line.strip_prefix("Seq Scan on ").or_else(|| line.strip_prefix("Bitmap Index Scan on "));
        let by_index = || line.strip_prefix("Index ").and_then(|line| line.split_once(" using ")).map(|(_, rest)| rest);
        if let Some(name) = whole.or_else(by_index).and_then(|rest| rest.split(' ').next()) {
            scans.push(Scan { name: name.to_owned(), columns: Vec::new() });
        }
    }
    scans.into_iter().filter(|scan| shapes.contains_key(&scan.name)).collect()
}

/// The connections whose statements are planned.
struct Planner {
    lane: PgConnection,
    reader: PgConnection,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

impl Planner {
    fn of(url: &str) -> Self {
        let lane = connect::lane(url, PlanCacheMode::default()).expect("the database answers");
        let mut reader = connect::reader(url).expect("the database answers");
        // As it may be planned when it is asked again and again.
        reader.batch_execute("SET plan_cache_mode = force_generic_plan").expect("it is a setting");
        Self { lane, reader }
    }

    #[expect(clippy::disallowed_methods, reason = "each plan is asked for once")]
    fn plan(&mut self, statement: &Registered) -> Vec<String> {
        let Registered { name, text, parameters, .. } = statement;
        let connection = if name.starts_with("accrue::read::") { &mut self.reader } else { &mut self.lane };
        let list = |all: Vec<String>| if all.is_empty() { String::new() } else { format!("({})", all.join(", ")) };
        let types = parameters();
        let nothing = list(vec!["NULL".to_owned(); types.len()]);
        let types = list(types.iter().map(|one| one.name().to_owned()).collect());
        connection.batch_execute(&format!("PREPARE planned {types} AS {text}")).expect(name);
        let explain = diesel::sql_query(format!("EXPLAIN (COSTS OFF) EXECUTE planned {nothing}"));
        let plan: Vec<Line> = explain.load(connection).expect(name);
        connection.batch_execute("DEALLOCATE planned").expect(name);
        plan.into_iter().map(|line| line.line).collect()
    }
}

// Of the tables that grow: what a ledger is stands in one row, and of migrations there are few.
fn shapes(owner: &mut Client) -> Shapes {
    let indexes = "SELECT relname::text, CASE relkind WHEN 'i' THEN
                       ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid ORDER BY attnum) END
                   FROM pg_class AS c LEFT JOIN pg_index ON indexrelid = c.oid
                   WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
                       AND COALESCE(indrelid, c.oid)::regclass::text NOT IN ('ledger', '__diesel_schema_migrations')";
    let rows = owner.query(indexes, &[]).expect("the catalogue can be read");
    rows.iter().map(|row| (row.get(0), row.get::<_, Option<_>>(1).unwrap_or_default())).collect()
}
