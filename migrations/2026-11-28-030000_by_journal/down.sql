DROP INDEX record_receiver_idx, record_counts_about_idx, record_counts_since_idx;
CREATE INDEX record_receiver_idx ON record (about, id) WHERE kind = 'transfer';
CREATE INDEX record_counts_about_idx ON record (member, about) WHERE counts;
CREATE INDEX record_counts_since_idx ON record (member, kind, created_at) WHERE counts;

DROP INDEX entry_member_idx, lot_pending_idx, lot_active_idx, record_member_idx, record_due_idx, donation_member_idx,
    note_member_idx;
CREATE INDEX entry_member_idx ON entry (member, seq) WHERE member IS NOT NULL;
CREATE INDEX lot_pending_idx ON lot (member, active_at) WHERE pending > 0;
CREATE INDEX lot_active_idx ON lot (member, expires_at, id) WHERE active > 0;
CREATE INDEX record_member_idx ON record (member, kind, id);
CREATE INDEX record_due_idx ON record (member, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX donation_member_idx ON donation (member, id);
CREATE INDEX note_member_idx ON note (member);
