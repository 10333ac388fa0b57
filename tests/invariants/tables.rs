//! Invariants 2 and 3: whatever is changed in the tables behind the ledger's back, verification says where.

use accrue::domain::audit::Fault;

use super::books::Books;

#[test]
fn a_change_of_what_is_written_is_named_by_its_entry() {
    let books = Books::new();
    let (earned, last) = (books.earned, books.last);
    let hash = |fault: &Fault| matches!(fault, Fault::Hash { .. });
    let entry = "journal = {journal} AND seq = {earned}";
    for column in [
        "payload = replace(payload, '21', '22')",
        "actor = 'client:other'",
        "kind = 'points.given'",
        "effective_at = effective_at - interval '1 microsecond'",
        "id = gen_random_uuid()",
        "command = NULL",
        "program_version = 2",
        "hash = decode(repeat('ab', 32), 'hex')",
    ] {
        books.expect_entry(&format!("UPDATE entry SET {column} WHERE {entry}"), earned, hash);
    }
    // Of its first posting in its own row, of further ones in theirs.
    for column in [
        "points = points + 1",
        "points = NULL",
        "lot = gen_random_uuid()",
        "lot = NULL",
        "credit = 'active', debit = 'pending'",
        "credit = NULL",
    ] {
        books.expect_entry(&format!("UPDATE entry SET {column} WHERE {entry}"), earned, hash);
    }
    let further = books.further;
    for column in ["points = points + 1", "lot = gen_random_uuid()", "credit = 'active', debit = 'pending'"] {
        let change =
            format!("UPDATE further_posting SET {column} WHERE journal = {{journal}} AND seq = {further} AND n = 1");
        books.expect_entry(&change, further, hash);
    }
    let delete = format!("DELETE FROM further_posting WHERE journal = {{journal}} AND seq = {further} AND n = 1");
    books.expect_entry(&delete, further, hash);
    books.expect_entry(
        "INSERT INTO further_posting (journal, seq, n, debit, credit, points) VALUES ({journal}, {earned}, 1, 'issuance', 'active', 1)",
        earned,
        hash,
    );
    let version = |fault: &Fault| *fault == Fault::Version(2);
    books.expect_entry(&format!("UPDATE entry SET v = 2 WHERE {entry}"), earned, version);
    let backwards = |fault: &Fault| *fault == Fault::Backwards;
    let earlier = "UPDATE entry SET recorded_at = recorded_at - interval '1 day' WHERE {entry}";
    books.expect_entry(&earlier.replace("{entry}", entry), earned, backwards);
    // A stranger's entry in a journal: nobody can have hashed it into the chain.
    let append = "INSERT INTO entry SELECT seq + 1, effective_at, recorded_at, gen_random_uuid(), member, command,
         program_version, journal, v, kind, actor, payload, hash, points, lot, debit, credit FROM entry WHERE journal = {journal} AND seq = {last}";
    books.expect_entry(append, last + 1, hash);
}

#[test]
fn entries_that_are_missing_or_out_of_place_are_named() {
    let books = Books::new();
    let (earned, last) = (books.earned, books.last);
    let delete = "DELETE FROM entry WHERE journal = {journal} AND seq = {earned}";
    books.expect_entry(delete, earned + 1, |fault| *fault == Fault::Gap { found: earned + 1, expected: earned });
    let swap = "CREATE TEMP TABLE two AS SELECT * FROM entry WHERE journal = {journal} AND seq IN ({earned}, {last});
         DELETE FROM entry WHERE journal = {journal} AND seq IN ({earned}, {last});
         UPDATE two SET seq = {earned} + {last} - seq; INSERT INTO entry SELECT * FROM two";
    books.expect_entry(swap, earned, |fault| matches!(fault, Fault::Hash { .. }));
    let delete_last = "DELETE FROM further_posting WHERE journal = {journal} AND seq = {last};
         DELETE FROM entry WHERE journal = {journal} AND seq = {last}";
    books.expect_projection(delete_last, &format!("its head is at {}, its entries end before {last}", last + 1));
    // Who also moves the head back is caught by what the entry did.
    let unwind = format!(
        "{delete_last}; UPDATE journal SET next_seq = {{last}}, head_hash = (SELECT hash FROM entry
         WHERE journal = {{journal}} AND seq = {{last}} - 1) WHERE id = {{journal}}"
    );
    books.expect_projection(&unwind, "the wallet of member");
    let head = "UPDATE journal SET head_hash = decode(repeat('00', 32), 'hex') WHERE id = {journal}";
    books.expect_projection(head, "its head");
}

#[test]
fn wallets_and_lots_that_their_entries_do_not_give_are_named() {
    let books = Books::new();
    let wallet = "UPDATE wallet SET {set} WHERE member = '{member}'";
    for set in ["active = active + 1", "pending = 0", "held = 1", "debt = 1"] {
        books.expect_projection(&wallet.replace("{set}", set), "the wallet of member {member} is");
    }
    for set in ["next_due_at = NULL", "next_due_at = next_due_at + interval '1 microsecond'"] {
        books.expect_projection(&wallet.replace("{set}", set), "the wallet of member {member} has another due time");
    }
    let points_due = wallet.replace("{set}", "points_due_at = NULL");
    books.expect_projection(&points_due, "the wallet of member {member} has another due time");
    let standing = r#"{"base":{},"based_at":"2026-01-01T00:00:00.000000Z","rank":{},"version":1}"#;
    let spending = r#"{"amount":"1","counts":"money","currency":"USD","from":"2026-01-01T00:00:00.000000Z",
        "latest":"2026-01-01T00:00:00.000000Z","orders":1,"version":1}"#;
    for change in [
        wallet.replace("{set}", "tier = 'gold'"),
        wallet.replace("{set}", &format!("spending = '{spending}'")),
        format!("UPDATE member SET standing = '{standing}' WHERE id = '{{member}}'"),
    ] {
        books.expect_projection(&change, "member {member} has another tier, or other sums towards one");
    }
    let counted = "INSERT INTO tier_total (journal, tier, members) VALUES ({journal}, 'gold', 1)";
    books.expect_projection(counted, "total of tier gold is stored, and no entry says so");
    let claimed = wallet.replace("{set}", "claimed = 1");
    books.expect_projection(&claimed, "the wallet of member {member} has other claims on it");
    let lot = "UPDATE lot SET {set} WHERE member = '{member}'";
    for set in [
        "active = active + 1",
        "pending = pending + 1",
        "held = 1",
        "expired = expired + 1",
        "earned = earned + 1",
        "expires_at = NULL",
        "active_at = active_at - interval '1 hour'",
        "id = gen_random_uuid()",
    ] {
        books.expect_projection(&lot.replace("{set}", set), "the lots of member {member}");
    }
    let last_lot = "(SELECT id FROM lot WHERE member = '{member}' ORDER BY active_at DESC LIMIT 1)";
    books.expect_projection(&format!("DELETE FROM lot WHERE id = {last_lot}"), "the lots of member {member}");
    books.expect_projection("UPDATE lot SET member = gen_random_uuid() WHERE member = '{member}'", "lots");
    books.expect_projection("DELETE FROM wallet WHERE member = '{member}'", "members are stored");
    let stray = "INSERT INTO lot SELECT journal, gen_random_uuid(), gen_random_uuid(), 1, 0, 0, 0, active_at FROM lot
         WHERE member = '{member}' LIMIT 1";
    books.expect_projection(stray, "which is no member");
}
