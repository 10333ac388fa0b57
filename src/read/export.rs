//! The export: every entry in the order (journal, seq), at constant memory.

use diesel::PgConnection;
use uuid::Uuid;

use super::{ReadError, entries, flow};
use crate::domain::ids::JournalId;
use crate::domain::journal::entry::{Entry, Hash, hex};
use crate::domain::time;

/// How many entries are read at a time.
const PAGE: i64 = 4_000;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportFormat)]
pub enum Format {
    /// A line of canonical JSON for each entry.
    Ndjson,
    /// A row for each posting, and one for each entry without postings; a first row with the names of the columns.
    Csv,
}

impl Format {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// The columns of a CSV export.
pub const COLUMNS: [&str; 19] = [
    "v",
    "ledger",
    "journal",
    "seq",
    "id",
    "kind",
    "member",
    "actor",
    "command",
    "program_version",
    "effective_at",
    "recorded_at",
    "payload",
    "hash",
    "n",
    "debit",
    "credit",
    "points",
    "lot",
];

/// An export under way. It ends where the journals stood when it began: entries never change and journals have no
/// gaps, so no snapshot has to be held for the hours that a large export may take.
pub struct Export {
    ledger: Uuid,
    format: Format,
    /// Journals still to come, the next one last: number, next sequence number at the beginning.
    journals: Vec<(JournalId, i64)>,
    next_seq: i64,
    headed: bool,
}

impl Export {
    /// Begins an export of all journals, or of one.
    pub fn begin(connection: &mut PgConnection, format: Format, only: Option<JournalId>) -> Result<Self, ReadError> {
        let ledger = entries::ledger_id(connection)?;
        let heads = entries::heads(connection)?.into_iter().rev();
        let wanted = heads.filter(|(journal, ..)| only.is_none_or(|only| only == *journal));
        let journals = wanted.map(|(journal, next_seq, ..)| (journal, next_seq)).collect();
        Ok(Self { ledger, format, journals, next_seq: 1, headed: false })
    }

    /// The next part of the text; none at the end.
    pub fn next(&mut self, connection: &mut PgConnection) -> Result<Option<Vec<u8>>, ReadError> {
        let mut out = Vec::new();
        if self.format == Format::Csv && !self.headed {
            out.extend(COLUMNS.join(",").bytes());
            out.push(b'\n');
        }
        self.headed = true;
        while let Some((journal, end)) = self.journals.last().copied() {
            let page = (self.next_seq, end.min(self.next_seq.saturating_add(PAGE)));
            let (mut line, before) = (String::new(), out.len());
            if page.0 < page.1 {
                flow::each(connection, journal, page, |row, further| {
                    let (entry, hash) = row.entry(self.ledger, further)?;
                    self.write(&mut out, &mut line, &entry, &hash)
                })?;
            }
            if out.len() > before {
                self.next_seq = page.1;
                break;
            }
            // A journal has no gaps, unless someone made one.
            match flow::first_from(connection, journal, page.1)?.filter(|next| *next < end) {
                Some(next) => self.next_seq = next,
                None => {
                    self.journals.pop();
                    self.next_seq = 1;
                }
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }

    // `line` is room to work in.
    fn write(&self, out: &mut Vec<u8>, line: &mut String, entry: &Entry, hash: &Hash) -> Result<(), ReadError> {
        match self.format {
            Format::Ndjson => {
                line.clear();
                entry.write(line, Some(hash));
                line.push('\n');
                out.extend_from_slice(line.as_bytes());
            }
            Format::Csv => {
                let rows = csv_rows(entry, hash);
                let mut writer = csv::WriterBuilder::new().from_writer(out);
                for row in rows {
                    writer.write_record(&row).map_err(|_| ReadError::Corrupt("an entry that CSV cannot hold"))?;
                }
                writer.flush().map_err(|_| ReadError::Corrupt("an entry that CSV cannot hold"))?;
            }
        }
        Ok(())
    }
}

// Every row repeats the entry; rows of one entry follow each other.
pub(super) fn csv_rows(entry: &Entry, hash: &Hash) -> Vec<Vec<String>> {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let facts = vec![
        entry.v.to_string(),
        entry.ledger.to_string(),
        entry.journal.to_string(),
        entry.seq.to_string(),
        entry.id.to_string(),
        entry.kind.clone(),
        id(entry.member),
        entry.actor.clone(),
        id(entry.command),
        entry.program_version.to_string(),
        time::canonical(entry.effective_at),
        time::canonical(entry.recorded_at),
        entry.payload.clone(),
        hex(hash),
    ];
    if entry.postings.is_empty() {
        return vec![[facts, vec![String::new(); 5]].concat()];
    }
    let postings = (0..).zip(&entry.postings).map(|(n, posting): (usize, _)| {
        let (debit, credit) = (posting.debit.to_string(), posting.credit.to_string());
        [facts.clone(), vec![n.to_string(), debit, credit, posting.points.to_string(), id(posting.lot)]].concat()
    });
    postings.collect()
}
