// @generated automatically by Diesel CLI.

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
    program_version (journal, version) {
        journal -> Int2,
        version -> Int4,
        effective_at -> Timestamptz,
        published_at -> Timestamptz,
        document -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(ledger, member_profile, program_version,);
