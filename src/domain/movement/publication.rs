//! A version of the programme is published.

use std::sync::Arc;

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::Value;

use crate::domain::journal::entry::{Draft, Kind, derive_id};
use crate::domain::journal::payload::Payload;
use crate::domain::program::{Program, ProgramBook, ProgramDocument, ProgramVersion};
use crate::domain::refusal::Refusal;
use crate::domain::time::{self, Timestamp};

/// How far ahead a version is published. Every instance reads new versions more often than that, so none decides by
/// an old version because it had not heard of the new one.
pub const LEAD: TimeDelta = TimeDelta::seconds(60);

/// A published version, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = ProgramVersion)]
pub struct ProgramVersionReply {
    /// Its number, from 1.
    pub version: i32,
    /// From when it decides. The first version also decides everything before.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub effective_at: Timestamp,
    /// The document.
    #[schema(value_type = ProgramDocument)]
    pub document: Value,
}

impl ProgramVersionReply {
    /// The version as the API shows it.
    pub fn of(version: &ProgramVersion) -> Self {
        Self { version: version.version, effective_at: version.effective_at, document: version.program.document() }
    }
}

/// Decides a publication. `programs` is none for the first version, which takes effect at once.
pub fn publish(
    programs: Option<&ProgramBook>,
    program: &Arc<Program>,
    effective_at: Timestamp,
    (now, command, actor): (Timestamp, uuid::Uuid, &str),
) -> Result<(Draft, ProgramVersion), Refusal> {
    if let Some(programs) = programs {
        let earliest = now + LEAD;
        let latest = programs.versions().iter().map(|version| version.effective_at).max();
        if effective_at < earliest || latest.is_some_and(|latest| effective_at <= latest) {
            return Err(Refusal::EffectiveTooSoon { seconds: LEAD.num_seconds() });
        }
    }
    let version = programs.map_or(0, |programs| programs.latest_version().version) + 1;
    let draft = Draft {
        id: derive_id(now, command.as_bytes(), &[b"entry"]),
        kind: Kind::ProgramPublished,
        member: None,
        actor: actor.to_owned(),
        command: Some(command),
        program_version: version,
        effective_at,
        payload: Payload::default()
            .with("document", &program.document())
            .with("effective_at", &time::canonical(effective_at))
            .with("version", &version),
        postings: Vec::new(),
    };
    Ok((draft, ProgramVersion { version, effective_at, program: Arc::clone(program) }))
}
