// @generated automatically by Diesel CLI.

diesel::table! {
    entry (journal, seq) {
        seq -> Int8,
        effective_at -> Timestamptz,
        recorded_at -> Timestamptz,
        id -> Uuid,
        member -> Nullable<Uuid>,
        command -> Nullable<Uuid>,
        program_version -> Int4,
        journal -> Int2,
        v -> Int2,
        kind -> Text,
        actor -> Text,
        payload -> Text,
        hash -> Bytea,
    }
}

diesel::table! {
    journal (id) {
        id -> Int2,
        next_seq -> Int8,
        head_hash -> Bytea,
        recorded_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    ledger (only_row) {
        only_row -> Bool,
        id -> Uuid,
        created_at -> Timestamptz,
        demo_shift_days -> Nullable<Int4>,
        demo_loaded -> Bool,
        sandbox -> Bool,
        clock_ahead -> Int8,
    }
}

diesel::table! {
    lot (journal, id) {
        journal -> Int2,
        id -> Uuid,
        member -> Uuid,
        earned -> Int8,
        pending -> Int8,
        active -> Int8,
        held -> Int8,
        active_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        expired -> Int8,
    }
}

diesel::table! {
    member (journal, id) {
        journal -> Int2,
        id -> Uuid,
        status -> Text,
        joined_at -> Timestamptz,
    }
}

diesel::table! {
    member_profile (journal, member) {
        journal -> Int2,
        member -> Uuid,
        external_id -> Text,
        birthday -> Nullable<Date>,
        tags -> Array<Nullable<Text>>,
        request_hash -> Bytea,
        response -> Text,
    }
}

diesel::table! {
    posting (journal, seq, n) {
        seq -> Int8,
        points -> Int8,
        lot -> Nullable<Uuid>,
        journal -> Int2,
        n -> Int4,
        debit -> Text,
        credit -> Text,
    }
}

diesel::table! {
    program_version (journal, version) {
        journal -> Int2,
        version -> Int4,
        effective_at -> Timestamptz,
        published_at -> Timestamptz,
        document -> Text,
    }
}

diesel::table! {
    wallet (journal, member) {
        journal -> Int2,
        member -> Uuid,
        active -> Int8,
        pending -> Int8,
        held -> Int8,
        debt -> Int8,
        next_due_at -> Nullable<Timestamptz>,
        lifetime_earned -> Int8,
        lifetime_spent -> Int8,
        claimed -> Int8,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    entry,
    journal,
    ledger,
    lot,
    member,
    member_profile,
    posting,
    program_version,
    wallet,
);
