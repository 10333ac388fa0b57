//! Invariant 3: whatever row of a projection is changed, missing or too many, verification says which.

use super::books::Books;

/// Rows that are compared with what the entries say, one by one.
struct Rows {
    table: &'static str,
    /// Which of them are changed, so that every column is filled in one of them.
    of: &'static str,
    /// In which journal they are found to be wrong.
    journal: &'static str,
    /// What verification calls one.
    name: &'static str,
    /// By what they are found, put to something else.
    keys: &'static [&'static str],
    /// Everything else that is compared, put to something else.
    columns: &'static [&'static str],
}

const OWN: &str = "member = '{member}'";

const PROJECTIONS: [Rows; 8] = [
    Rows {
        table: "orders",
        of: OWN,
        journal: "{journal}",
        name: "order ",
        keys: &["order_id = 'x' || order_id"],
        columns: &[
            "seq = seq + 1000",
            "member = gen_random_uuid()",
            "refunded = 0.01",
            "refunded = NULL",
            "reversed = coalesce(reversed, 0) + 1",
            "reversed = NULL",
            "returned = coalesce(returned, 0) + 1",
            "returned = NULL",
            "claimed = coalesce(claimed, 0) + 1",
            r#"reversal = '{"claimed":0,"covered":999,"debt":0,"given":[],"set_off":[],"taken":[]}'"#,
            "reversal = 'nonsense'",
            // What the order earned, in the answer that is given again.
            r#"response = regexp_replace(response, '"points":', '"points":1')"#,
        ],
    },
    Rows {
        table: "refund",
        of: OWN,
        journal: "{journal}",
        name: "refund ",
        keys: &["refund_id = 'x' || refund_id", "order_id = 'x' || order_id"],
        columns: &["seq = seq + 1000", "member = gen_random_uuid()", "amount = amount + 0.01"],
    },
    Rows {
        table: "record",
        of: OWN,
        journal: "{journal}",
        name: "record ",
        keys: &["id = gen_random_uuid()"],
        columns: &[
            "member = gen_random_uuid()",
            "about = gen_random_uuid()",
            "about = NULL",
            "created_at = created_at + interval '1 microsecond'",
            "due_at = coalesce(due_at, created_at) + interval '1 microsecond'",
            "due_at = NULL",
            "counts = NOT counts",
            "kind = kind || 's'",
            "status = status || 'd'",
            "state = state || ' '",
        ],
    },
    Rows {
        table: "donation",
        of: OWN,
        journal: "{journal}",
        name: "donation of entry ",
        keys: &["seq = seq + 1000"],
        columns: &["member = gen_random_uuid()", "cause = gen_random_uuid()", "points = points + 1"],
    },
    Rows {
        table: "cause_total",
        of: "journal = {journal}",
        journal: "{journal}",
        name: "total of the account donation:",
        keys: &["cause = gen_random_uuid()"],
        columns: &["points = points + 1", "donations = donations + 1"],
    },
    Rows {
        table: "cause",
        of: "true",
        journal: "0",
        name: "cause ",
        keys: &["id = gen_random_uuid()"],
        columns: &["terms = terms || ' '"],
    },
    Rows {
        table: "reward",
        of: "true",
        journal: "0",
        name: "reward ",
        keys: &["id = gen_random_uuid()"],
        columns: &["terms = terms || ' '"],
    },
    Rows {
        table: "counter",
        of: "true",
        journal: "0",
        name: "counter ",
        keys: &["id = gen_random_uuid()"],
        columns: &["most = most + 1", "most = NULL", "taken = taken + 1"],
    },
];

impl Rows {
    // Asserts that a row of these is said to be wrong after `change`, in words that end in `how`.
    fn expect(&self, books: &Books, change: &str, how: &str) {
        let (journal, fault) = books.wrong_projection(change);
        let expected = self.journal.replace("{journal}", &books.journal.to_string());
        assert_eq!(journal.to_string(), expected, "{change}: {fault}");
        assert!(fault.starts_with(self.name) && fault.ends_with(how), "{change}: {fault}");
    }
}

#[test]
fn a_row_that_its_entries_do_not_give_is_named() {
    let books = Books::new();
    for rows in PROJECTIONS {
        let Rows { table, of, keys, columns, .. } = rows;
        let update = |set: &str| format!("UPDATE {table} SET {set} WHERE {of}");
        for set in columns {
            rows.expect(&books, &update(set), "is stored otherwise than its entries say");
        }
        for set in keys {
            rows.expect(&books, &update(set), "is stored, and no entry says so");
            let stray = format!(
                "CREATE TEMP TABLE stray AS SELECT * FROM {table} WHERE {of} LIMIT 1; UPDATE stray SET {set};
                 INSERT INTO {table} SELECT * FROM stray"
            );
            rows.expect(&books, &stray, "is stored, and no entry says so");
        }
        let one = format!("ctid = (SELECT ctid FROM {table} WHERE {of} LIMIT 1)");
        rows.expect(&books, &format!("DELETE FROM {table} WHERE {one}"), "is missing, which an entry recorded");
    }
}

#[test]
fn a_row_that_stands_in_another_journal_than_its_entries_is_named() {
    let books = Books::new();
    for Rows { table, of, name, .. } in PROJECTIONS {
        let change = format!("UPDATE {table} SET journal = CASE journal WHEN 1 THEN 2 ELSE 1 END WHERE {of}");
        let (_, fault) = books.wrong_projection(&change);
        assert!(fault.starts_with(name), "{change}: {fault}");
    }
}

#[test]
fn a_member_whom_the_entries_do_not_give_is_named() {
    let books = Books::new();
    for set in ["status = 'suspended'", "joined_at = joined_at - interval '1 microsecond'"] {
        let change = format!("UPDATE member SET {set} WHERE id = '{{member}}'");
        books.expect_projection(&change, "member {member} has another status or joined at another time");
    }
    for sum in ["lifetime_earned", "lifetime_spent"] {
        let change = format!("UPDATE wallet SET {sum} = {sum} + 1 WHERE member = '{{member}}'");
        books.expect_projection(&change, "the wallet of member {member} has other sums since joining");
    }
    books.expect_projection("DELETE FROM member WHERE id = '{member}'", "members are stored");
    books.expect_projection("UPDATE member SET id = gen_random_uuid() WHERE id = '{member}'", "members are stored");
    let stray = "WITH stray AS (
             INSERT INTO member SELECT journal, gen_random_uuid(), status, joined_at FROM member WHERE id = '{member}'
             RETURNING journal, id)
         INSERT INTO wallet (journal, member) SELECT * FROM stray";
    books.expect_projection(stray, "members are stored");
}

#[test]
fn a_version_of_the_programme_that_was_not_published_is_named() {
    let books = Books::new();
    let otherwise = "version 1 of the programme is stored otherwise than it was published";
    for (change, how) in [
        ("UPDATE program_version SET effective_at = effective_at + interval '1 microsecond'", otherwise),
        ("UPDATE program_version SET document = replace(document, 'USD', 'EUR')", otherwise),
        ("UPDATE program_version SET document = 'nonsense'", otherwise),
        ("UPDATE program_version SET version = 2", otherwise),
        ("DELETE FROM program_version", "0 programme versions are stored, 1 published"),
        ("UPDATE program_version SET journal = 1", "0 programme versions are stored, 1 published"),
        (
            "INSERT INTO program_version SELECT journal, 2, effective_at, published_at, document FROM program_version",
            "2 programme versions are stored, 1 published",
        ),
    ] {
        assert_eq!(books.wrong_projection(change), (0, how.to_owned()), "{change}");
    }
}
