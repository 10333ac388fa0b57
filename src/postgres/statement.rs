//! Statements with a fixed text.
//!
//! diesel caches a prepared statement by the type of its query, but never one made with `sql_query`. These are
//! types of their own with one text each, whatever the number of rows: arrays go in through `UNNEST` or `= ANY`. Each
//! registers itself for a test that prepares them all.

#[cfg(test)]
pub(crate) mod tests;

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

        #[cfg(test)]
        inventory::submit! {
            $crate::postgres::statement::tests::Registered {
                name: concat!(module_path!(), "::", stringify!($name)),
                text: $text,
                parameters: || vec![$($crate::postgres::statement::tests::bind::<$sql>()),*],
                returns: <$returns as $crate::postgres::statement::tests::Types>::all,
            }
        }
    };
}

pub(crate) use statement;
