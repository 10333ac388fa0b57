//! Statements with a fixed text.
//!
//! diesel caches a prepared statement by the type of its query, but never one made with `sql_query`. These are
//! types of their own with one text each, whatever the number of rows: arrays go in through `UNNEST` or `= ANY`.

/// Declares a statement: its fields are the binds `$1`, `$2`, … in order, each with its SQL type, then what it
/// returns (`()` for nothing) and its text.
macro_rules! statement {
    (
        $(#[$meta:meta])*
        $vis:vis $name:ident { $($field:ident: $rust:ty => $sql:ty),* $(,)? } -> $returns:ty, $text:expr
    ) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $vis struct $name {
            $($vis $field: $rust),*
        }

        impl diesel::query_builder::QueryFragment<diesel::pg::Pg> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                out.push_sql($text);
                $(out.push_bind_param_value_only::<$sql, $rust>(&self.$field)?;)*
                Ok(())
            }
        }

        impl diesel::query_builder::QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::Query for $name {
            type SqlType = $returns;
        }

        impl diesel::RunQueryDsl<diesel::PgConnection> for $name {}
    };
}

pub(crate) use statement;
