//! `/v1/ledger`: what finance audits.

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::answer::json;
use super::call::{Answer, Call, Need, Parameter, Shape, Verb};
use super::caller::Authorised;
use super::code::HttpCode;
use super::input::{Query, Read};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fields};
use crate::domain::ids::{JournalId, MAX_JOURNAL};
use crate::postgres::connect;
use crate::process::seldom;
use crate::read::ReadError;
use crate::read::entries::{self, JournalHead};
use crate::read::export::{Export, Format};

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "list_journals",
        verb: Verb::Get,
        path: "/v1/ledger/journals",
        need: Need::Scope("ledger:read"),
        summary: "List the journals and their heads",
        about: "\
            Compare them with what `accrue verify` prints for an export: an export that was cut off at the end of a \
            journal cannot be told by itself.",
        answer: Answer::ok::<Journals>("The journals", include_str!("examples/journal_list.json")),
        handler: || web::to(list_journals),
        ..Call::REST
    },
    Call {
        name: "list_ledger_entries",
        verb: Verb::Get,
        path: "/v1/ledger/entries",
        need: Need::Scope("ledger:read"),
        summary: "List the entries of a journal",
        query: EntriesQuery::PARAMETERS,
        answer: Answer::ok::<LedgerEntries>("A page of entries", include_str!("examples/ledger_entry_list.json")),
        problems: &[HttpCode::JournalNotFound],
        handler: || web::to(list_ledger_entries),
        ..Call::REST
    },
    Call {
        name: "export_ledger",
        verb: Verb::Get,
        path: "/v1/ledger/export",
        need: Need::Scope("ledger:read"),
        summary: "Export the ledger",
        about: "\
            Every entry in the order (journal, seq), streamed. Each NDJSON line is the canonical entry with its \
            `hash`; take the hash out, put the 32 bytes of the hash before it in front, and SHA-256 gives it again. \
            An answer that ends early is an error of the transfer, never a shorter ledger. An export that is read \
            slowly ends early when another is asked for: read it as fast as it comes, or take the entries page by \
            page.",
        query: ExportQuery::PARAMETERS,
        answer: Answer::text(&["application/x-ndjson", "text/csv"], "The export"),
        problems: &[HttpCode::JournalNotFound],
        handler: || web::to(export_ledger),
        ..Call::REST
    },
];

/// The most entries of a page.
const MAX_ENTRIES: i64 = 1_000;

/// How many parts of an export wait for a slow reader.
const EXPORT_BUFFER: usize = 4;

/// The number of a journal.
const JOURNAL: Shape = Shape::integer::<0, { MAX_JOURNAL as i64 }>();

/// A part of an export. The end is said, so that a writer that breaks off is not taken for one.
enum Part {
    Text(Bytes),
    End,
}

/// The journals.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = JournalList)]
pub struct Journals {
    /// The ledger, as every entry names it.
    ledger: uuid::Uuid,
    /// The heads, in order.
    journals: Vec<JournalHead>,
}

/// A page of a journal. Written as text, so that every entry stands here as its line in the export.
#[derive(utoipa::ToSchema)]
#[schema(as = LedgerEntryList)]
#[expect(dead_code, reason = "the fields are there for the document")]
pub struct LedgerEntries {
    /// The entries in canonical form, each with its `hash`.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Value>,
    /// The `after_seq` of the next page; null on the last.
    next_after_seq: Option<i64>,
}

async fn list_journals(service: web::Data<Service>, _caller: Authorised) -> Result<HttpResponse, Problem> {
    let journals = service.reader.run(|view| entries::journals(view.connection)).await?;
    json(&Journals { ledger: service.ledger.id(), journals })
}

async fn list_ledger_entries(
    service: web::Data<Service>,
    _caller: Authorised,
    query: Query<EntriesQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(EntriesQuery { journal, after_seq, limit }) = query;
    let ledger = service.ledger.id();
    let read = service
        .reader
        .run(move |view| entries::page(view.connection, ledger, journal, (after_seq, i64::MAX), limit + 1));
    let mut page = read.await?;
    if page.is_empty() {
        journal_exists(&service, journal).await?;
    }
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map_or("null".to_owned(), |(entry, _)| entry.seq.to_string());
    let lines: Vec<String> = page.iter().map(|(entry, hash)| entry.export_line(hash)).collect();
    let body = format!("{{\"entries\":[{}],\"next_after_seq\":{next}}}", lines.join(","));
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

async fn export_ledger(
    service: web::Data<Service>,
    _caller: Authorised,
    query: Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(ExportQuery { format, journal }) = query;
    if let Some(journal) = journal {
        journal_exists(&service, journal).await?;
    }
    let Some(running) = service.exports.begin() else {
        return Err(Problem::new(
            HttpCode::Busy,
            "as many exports as may run are running; try again when one has ended",
        ));
    };
    let url = service.database_url.clone();
    let runtime = tokio::runtime::Handle::current();
    let (parts, received) = mpsc::channel::<Result<Part, ReadError>>(EXPORT_BUFFER);
    // A long export has a connection of its own, so that the readers' pool stays free.
    tokio::task::spawn_blocking(move || {
        let write = || -> Result<(), ReadError> {
            let mut connection = connect::auditor(&url).map_err(|_| ReadError::Unavailable)?;
            let mut export = Export::begin(&mut connection, format, journal)?;
            while let Some(part) = export.next(&mut connection)? {
                // Whoever reads slowly must not keep a place for ever; the end that it then misses tells it so.
                let handed_over = runtime.block_on(running.hand_over(parts.send(Ok(Part::Text(part.into())))));
                if !matches!(handed_over, Some(Ok(()))) {
                    return Ok(());
                }
            }
            runtime.block_on(running.hand_over(parts.send(Ok(Part::End))));
            Ok(())
        };
        if let Err(error) = write() {
            if let Some(left_out) = seldom::due("export_failed") {
                tracing::warn!(error = &error as &dyn std::error::Error, left_out, "an export failed");
            }
            runtime.block_on(running.hand_over(parts.send(Err(error))));
        }
    });
    let mut received = received;
    // The first part decides the status: a database that is away is a 503, not a broken 200.
    let first = next_part(&mut received).await.transpose()?;
    let rest = stream::unfold(received, async |mut received| Some((next_part(&mut received).await?, received)));
    let body = stream::StreamExt::chain(stream::iter(first.map(Ok)), rest);
    let body = stream::StreamExt::map(body, |part: Result<Bytes, ReadError>| part.map_err(std::io::Error::other));
    let name = match format {
        Format::Ndjson => "attachment; filename=\"ledger.ndjson\"",
        Format::Csv => "attachment; filename=\"ledger.csv\"",
    };
    let mut response = HttpResponse::Ok();
    response.content_type(format.media_type()).insert_header((header::CONTENT_DISPOSITION, name));
    Ok(response.streaming(Box::pin(body)))
}

// The next part; none at the end. A writer that is gone without having said so broke off.
async fn next_part(received: &mut mpsc::Receiver<Result<Part, ReadError>>) -> Option<Result<Bytes, ReadError>> {
    match received.recv().await {
        Some(Ok(Part::Text(text))) => Some(Ok(text)),
        Some(Ok(Part::End)) => None,
        Some(Err(error)) => Some(Err(error)),
        None => Some(Err(ReadError::Corrupt("an export that broke off"))),
    }
}

async fn journal_exists(service: &Service, journal: JournalId) -> Result<(), Problem> {
    let heads = service.reader.run(|view| entries::heads(view.connection)).await?;
    match heads.iter().any(|head| head.0 == journal) {
        true => Ok(()),
        false => Err(Problem::new(HttpCode::JournalNotFound, format!("there is no journal {journal}"))),
    }
}

/// The parameters of a page of entries.
pub struct EntriesQuery {
    journal: JournalId,
    after_seq: i64,
    limit: i64,
}

impl EntriesQuery {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] = &[&[
        Parameter::required("journal", "The journal.", JOURNAL),
        Parameter::optional(
            "after_seq",
            "The number of the last known entry; else 0.",
            Shape::integer::<0, { i64::MAX }>(),
        ),
        Parameter::optional("limit", "How many entries at most; else 100.", Shape::integer::<1, MAX_ENTRIES>()),
    ]];
}

impl Read for EntriesQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let journal = query.required("journal", fields::integer_in_text(0..=MAX_JOURNAL.into()));
        let after_seq = query.optional("after_seq", fields::integer_in_text(0..=i64::MAX));
        let limit = query.optional("limit", fields::integer_in_text(1..=MAX_ENTRIES));
        let journal = JournalId::try_from(journal?).ok()?;
        Some(Self { journal, after_seq: after_seq.unwrap_or(0), limit: limit.unwrap_or(100) })
    }
}

/// The parameters of an export.
pub struct ExportQuery {
    format: Format,
    journal: Option<JournalId>,
}

impl ExportQuery {
    /// What [`Read`] reads, for the document.
    pub const PARAMETERS: &[&[Parameter]] = &[&[
        Parameter::optional("format", "Else `ndjson`.", Shape::named::<Format>()),
        Parameter::optional("journal", "One journal alone.", JOURNAL),
    ]];
}

impl Read for ExportQuery {
    fn read(query: &mut Fields<'_>) -> Option<Self> {
        let format = query.optional("format", fields::one_of(&[("ndjson", Format::Ndjson), ("csv", Format::Csv)]));
        let journal = query.optional("journal", fields::integer_in_text(0..=MAX_JOURNAL.into()));
        let journal = journal.and_then(|journal| JournalId::try_from(journal).ok());
        Some(Self { format: format.unwrap_or(Format::Ndjson), journal })
    }
}
