-- Statements name the journal of the member whom they read, so that one server could answer them where that journal lies.
-- An index by member that does not begin with it is not enough then: in a table that was never analysed a journal seems to
-- be short, and all its rows are read by the primary key, to see which of them are also the member's.
DROP INDEX entry_member_idx, lot_pending_idx, lot_active_idx, record_member_idx, record_due_idx, donation_member_idx,
    note_member_idx;
CREATE INDEX entry_member_idx ON entry (journal, member, seq) WHERE member IS NOT NULL;
CREATE INDEX lot_pending_idx ON lot (journal, member, active_at) WHERE pending > 0;
CREATE INDEX lot_active_idx ON lot (journal, member, expires_at, id) WHERE active > 0;
CREATE INDEX record_member_idx ON record (journal, member, kind, id);
CREATE INDEX record_due_idx ON record (journal, member, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX donation_member_idx ON donation (journal, member, id);
CREATE INDEX note_member_idx ON note (journal, member);

-- A partial index of a new table seems to cost nothing, however little of it a statement names. The condition of each of
-- these says what the one statement that it is for asks about, so that no other can use it.
DROP INDEX record_receiver_idx, record_counts_about_idx, record_counts_since_idx;
CREATE INDEX record_receiver_idx ON record (about, id) WHERE kind = 'transfer' AND about IS NOT NULL;
CREATE INDEX record_counts_about_idx ON record (journal, member, about) WHERE counts AND about IS NOT NULL;
CREATE INDEX record_counts_since_idx ON record (journal, member, kind, created_at)
    WHERE counts AND created_at IS NOT NULL;
