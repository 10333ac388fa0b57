//! A connection that a reader keeps for the one statement that it runs again and again.

use std::sync::Arc;

use diesel::PgConnection;

use super::{ReadError, View};
use crate::load::Programs;
use crate::postgres::clock::Clock;
use crate::postgres::connect;
use crate::process::seldom;

/// A reader with a connection of its own; there is none before the first query, and none after one that failed.
pub struct Kept {
    url: String,
    clock: Clock,
    programs: Arc<Programs>,
    connection: Option<PgConnection>,
}

impl Kept {
    /// A reader of the database at `url`. Nothing is connected yet.
    pub fn new(url: &str, clock: Clock, programs: Arc<Programs>) -> Self {
        Self { url: url.to_owned(), clock, programs, connection: None }
    }

    /// Runs a query; once more, on a new connection, if that may help: reading twice does no harm.
    pub fn run<T>(&mut self, mut query: impl FnMut(&mut View<'_>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        match self.once(&mut query) {
            Err(error) if error.may_pass_now() => self.once(&mut query),
            answer => answer,
        }
    }

    fn once<T>(&mut self, query: &mut impl FnMut(&mut View<'_>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        // What fails or panics leaves the connection in the midst of something.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect::gatherer(&self.url).map_err(|error| {
                if let Some(left_out) = seldom::due("reader_unavailable") {
                    tracing::warn!(%error, left_out, "a reader cannot connect");
                }
                ReadError::Unavailable
            })?,
        };
        let programs = self.programs.book();
        let answer = query(&mut View { connection: &mut connection, clock: &self.clock, programs: &programs })?;
        self.connection = Some(connection);
        Ok(answer)
    }
}
