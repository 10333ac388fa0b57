// @generated automatically by Diesel CLI.

diesel::table! {
    cause (journal, id) {
        id -> Uuid,
        journal -> Int2,
        terms -> Text,
    }
}

diesel::table! {
    cause_total (journal, cause) {
        cause -> Uuid,
        points -> Int8,
        donations -> Int8,
        journal -> Int2,
    }
}

diesel::table! {
    donation (journal, seq) {
        donated_at -> Timestamptz,
        seq -> Int8,
        points -> Int8,
        id -> Uuid,
        member -> Uuid,
        cause -> Uuid,
        journal -> Int2,
    }
}

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
    idempotency (journal, caller, operation, key) {
        recorded_at -> Timestamptz,
        journal -> Int2,
        refused -> Bool,
        caller -> Text,
        operation -> Text,
        key -> Text,
        request_hash -> Bytea,
        outcome -> Text,
        member -> Nullable<Uuid>,
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
    note (journal, about) {
        journal -> Int2,
        about -> Uuid,
        member -> Uuid,
        other_member -> Nullable<Uuid>,
        body -> Text,
    }
}

diesel::table! {
    orders (journal, order_id) {
        seq -> Int8,
        occurred_at -> Timestamptz,
        member -> Uuid,
        journal -> Int2,
        order_id -> Text,
        currency -> Text,
        amount -> Numeric,
        discount -> Nullable<Numeric>,
        channel -> Nullable<Text>,
        items -> Nullable<Text>,
        request_hash -> Bytea,
        response -> Text,
        refunded -> Nullable<Numeric>,
        reversed -> Nullable<Int8>,
        returned -> Nullable<Int8>,
        refunded_items -> Nullable<Text>,
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
    redemption (journal, id) {
        created_at -> Timestamptz,
        lapses_at -> Nullable<Timestamptz>,
        id -> Uuid,
        member -> Uuid,
        reward -> Nullable<Uuid>,
        journal -> Int2,
        status -> Text,
        state -> Text,
    }
}

diesel::table! {
    refund (journal, order_id, refund_id) {
        seq -> Int8,
        member -> Uuid,
        journal -> Int2,
        order_id -> Text,
        refund_id -> Text,
        amount -> Numeric,
        items -> Nullable<Text>,
        request_hash -> Bytea,
        response -> Text,
    }
}

diesel::table! {
    reward (journal, id) {
        supplied -> Nullable<Int8>,
        taken -> Int8,
        id -> Uuid,
        journal -> Int2,
        terms -> Text,
    }
}

diesel::table! {
    transfer (journal, id) {
        created_at -> Timestamptz,
        lapses_at -> Nullable<Timestamptz>,
        id -> Uuid,
        member -> Uuid,
        receiver -> Uuid,
        journal -> Int2,
        status -> Text,
        state -> Text,
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
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    cause,
    cause_total,
    donation,
    entry,
    idempotency,
    journal,
    ledger,
    lot,
    member,
    member_profile,
    note,
    orders,
    posting,
    program_version,
    redemption,
    refund,
    reward,
    transfer,
    wallet,
);
