//! The database: a private cluster, connections, migrations, bulk reading, the clock, what errors mean.

pub mod clock;
pub mod cluster;
pub mod connect;
pub mod copy;
pub mod errors;
pub mod guard;
pub mod migrate;
pub(crate) mod statement;
