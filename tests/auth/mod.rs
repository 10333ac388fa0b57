//! Who gets in with a bearer token, and who does not.

mod away;
mod claims;
mod development;
mod header;
mod keys;
mod rotation;
mod setup;
mod support;
