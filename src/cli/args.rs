//! The arguments. Every flag has an environment variable, and a key of the same name in the configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use clap::builder::BoolishValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

use crate::domain::ids::MemberId;
use crate::domain::time;
use crate::ledger::Mode;
use crate::postgres::connect::PlanCacheMode;
use crate::read::export::Format;

/// Membership, points and referral ledger for online shops: append-only, double-entry, hash-chained.
#[derive(Parser)]
#[command(name = "accrue", version, max_term_width = 110)]
pub struct Args {
    /// A TOML file with defaults for the flags: `listen = "127.0.0.1:8080"`. Flags and the environment win over it.
    #[arg(long, global = true, env = "ACCRUE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub logs: LogArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve the HTTP API.
    Serve(ServeArgs),
    /// Show it: a private sandbox, real orders, tokens, and calls to try.
    Demo(DemoArgs),
    /// Bring a database's schema up to date, as its owner.
    Migrate(MigrateArgs),
    /// Import data.
    Import(ImportArgs),
    /// Write the whole ledger to a file or to standard output.
    Export(ExportArgs),
    /// Check a database, or an export offline: exit 0 right, 1 wrong, 2 could not check.
    Verify(VerifyArgs),
    /// Print a token signed with the local development key.
    Token(TokenArgs),
    /// Write a programme, the rules of a ledger: print an example and the schema, check a document.
    Program(ProgramArgs),
    /// Print the OpenAPI document.
    Openapi,
}

/// Which database.
#[derive(ClapArgs)]
pub struct DatabaseArgs {
    /// Folder of the private Postgres cluster and of the development key.
    #[arg(long, global = true, env = "ACCRUE_DATA_DIR", default_value = ".accrue", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Use this database instead of the private cluster. `migrate` needs its owner; the others need a login that is
    /// a member of the role accrue_service and no more.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Folder with `postgres` and `initdb` for the private cluster; else the newest that is installed.
    #[arg(long, global = true, env = "ACCRUE_POSTGRES_BIN", value_name = "DIR")]
    pub postgres_bin: Option<PathBuf>,
    /// When Postgres plans what writes to the ledger. Planned once it is quickest, but a database that is spread over
    /// several servers may refuse that.
    #[arg(long, global = true, env = "ACCRUE_PLAN_CACHE_MODE", value_name = "MODE", value_enum, default_value_t)]
    pub plan_cache_mode: PlanCacheMode,
}

/// What to log.
#[derive(ClapArgs)]
pub struct LogArgs {
    /// What to log to standard error: error, warn, info, debug, trace, or a filter such as `info,accrue=debug`.
    #[arg(long, global = true, env = "ACCRUE_LOG", default_value = "warn,accrue=info", value_name = "FILTER")]
    pub log: String,
    /// How to log it.
    #[arg(long, global = true, env = "ACCRUE_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: a JSON object a line.
    Json,
}

/// `serve`
#[derive(ClapArgs)]
pub struct ServeArgs {
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub keys: KeyArgs,
    #[command(flatten)]
    pub mode: ModeArgs,
    /// The programme document (TOML or JSON) for an empty database; `accrue program example` prints one. Another one
    /// later is refused: versions are published over the API.
    #[arg(long, env = "ACCRUE_PROGRAM", value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Serve reads alone, from the database that --database-url names, which may be a hot standby. Everything that would
    /// write is answered with 503, and nothing is migrated, seeded or swept.
    #[arg(long, env = "ACCRUE_READ_ONLY", value_parser = BoolishValueParser::new(), conflicts_with = "program")]
    pub read_only: bool,
}

/// `demo`
#[derive(ClapArgs)]
pub struct DemoArgs {
    #[command(flatten)]
    pub listen: ListenArgs,
}

/// Where to listen.
#[derive(ClapArgs)]
pub struct ListenArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "ACCRUE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// How many threads take requests; else half as many as there are cores, since lanes and Postgres need the others.
    #[arg(long, env = "ACCRUE_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// How many connections read the database.
    #[arg(long, env = "ACCRUE_READERS", default_value_t = 4, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=256))]
    pub readers: u32,
    /// How many commands may wait for each journal before the service says that it is busy.
    #[arg(long, env = "ACCRUE_QUEUE", default_value_t = 4096, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub queue: u32,
    /// How often what fell due by time is written down: 5s, 1m, at least a second. Balances are right without it.
    #[arg(long, env = "ACCRUE_SWEEP_INTERVAL", default_value = "5s", value_name = "TIME", value_parser = span)]
    pub sweep_interval: Duration,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// What callers may ask of it.
#[derive(ClapArgs)]
pub struct LimitArgs {
    /// How many connections there may be; fewer if the limit on open files (ulimit -Hn) asks for that. When nearly
    /// all are taken, the one that waits longest for its peer makes room for a new one.
    #[arg(long, env = "ACCRUE_CONNECTIONS", default_value_t = 4096, value_name = "N",
          value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    pub connections: u32,
    /// How many calls a member's token may make in a minute; 0 for any number.
    #[arg(long, env = "ACCRUE_MEMBER_CALLS", default_value_t = 600, value_name = "N")]
    pub member_calls: u32,
    /// How many receivers of transfers a member's token may name by the shop's id of the customer in an hour, and so
    /// find out whether they are members; 0 for any number.
    #[arg(long, env = "ACCRUE_RECEIVER_LOOKUPS", default_value_t = 10, value_name = "N")]
    pub receiver_lookups: u32,
    /// How many tokens that were not issued for this service one address may send in a minute, before it is told to
    /// wait; 0 for any number. Good tokens from that address, which may be a proxy's, pass all the same.
    #[arg(long, env = "ACCRUE_FAILED_TOKENS", default_value_t = 60, value_name = "N")]
    pub failed_tokens: u32,
    /// How long an export may wait for a slow reader, in all, before it makes room for another export: 30s, 1m.
    #[arg(long, env = "ACCRUE_EXPORT_PATIENCE", default_value = "1m", value_name = "TIME", value_parser = span)]
    pub export_patience: Duration,
}

/// Whose tokens.
#[derive(ClapArgs)]
pub struct KeyArgs {
    #[command(flatten)]
    pub claims: ClaimArgs,
    /// A JWKS file with the public keys of your identity provider; read again when it changes.
    #[arg(long, env = "ACCRUE_JWKS_FILE", value_name = "FILE")]
    pub jwks_file: Option<PathBuf>,
    /// The https address of that JWKS; fetched again every few minutes.
    #[arg(long, env = "ACCRUE_JWKS_URL", value_name = "URL")]
    pub jwks_url: Option<String>,
    /// A secret of at least 32 bytes for HS256 tokens. Give it by the environment: flags show in process lists.
    #[arg(long, env = "ACCRUE_HS256_SECRET", hide_env_values = true, value_name = "SECRET", value_parser = secret)]
    pub hs256_secret: Option<SecretString>,
}

/// What tokens must say.
#[derive(ClapArgs)]
pub struct ClaimArgs {
    /// The issuer (`iss`) of tokens.
    #[arg(long, env = "ACCRUE_ISSUER", default_value = "accrue", value_name = "ISS")]
    pub issuer: String,
    /// The audience (`aud`) of tokens.
    #[arg(long, env = "ACCRUE_AUDIENCE", default_value = "accrue", value_name = "AUD")]
    pub audience: String,
}

/// What the database is for.
#[derive(ClapArgs)]
pub struct ModeArgs {
    /// A sandbox, for trying things out: its clock can be moved forward over the API. A database is made one at its
    /// first migration and stays one; with this flag production is refused, and without it a sandbox is.
    #[arg(long, env = "ACCRUE_SANDBOX", value_parser = BoolishValueParser::new())]
    pub sandbox: bool,
}

impl ModeArgs {
    /// The mode that the database must have.
    pub fn mode(&self) -> Mode {
        if self.sandbox { Mode::Sandbox } else { Mode::Production }
    }
}

/// `migrate`
#[derive(ClapArgs)]
pub struct MigrateArgs {
    #[command(flatten)]
    pub mode: ModeArgs,
    /// How many journals members are spread over; else one for each core and at least two. More can be added later
    /// and then get new members; none is ever taken away.
    #[arg(long, env = "ACCRUE_JOURNALS", value_name = "N", value_parser = clap::value_parser!(i16).range(2..=4095))]
    pub journals: Option<i16>,
}

/// `import`
#[derive(ClapArgs)]
pub struct ImportArgs {
    #[command(subcommand)]
    pub what: ImportWhat,
}

/// What to import.
#[derive(Subcommand)]
pub enum ImportWhat {
    /// Orders from a CSV file with the columns order_id, customer_id, ordered_on, items, amount. A customer who is no
    /// member yet is enrolled with the first order that is taken, as of the earliest of its lines. Run it again after an
    /// interruption, or when the file grew: nothing doubles.
    Orders {
        /// The file.
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// The programme document (TOML or JSON) for an empty database.
        #[arg(long, env = "ACCRUE_PROGRAM", value_name = "FILE")]
        program: Option<PathBuf>,
        /// Move every order forward by so many days.
        #[arg(long, env = "ACCRUE_SHIFT_DAYS", default_value_t = 0, value_name = "DAYS",
              value_parser = clap::value_parser!(i32).range(0..=100_000))]
        shift_days: i32,
    },
    /// Balances of an older programme from a CSV file with the columns external_id and points, and if you like active_at,
    /// expires_at, joined_at and note. Each line is a lot, and a customer may have several. Dates are days in the
    /// programme's time zone: points are active from the day active_at, or at once, and expire when the day expires_at
    /// begins, or as if they had been earned now. A customer who is no member yet is enrolled with the first line that is
    /// taken, as of the earliest joined_at. Run it again after an interruption, or when the file grew: nothing doubles. A
    /// line is known by external_id, points, active_at and expires_at; one in which they were changed is another lot.
    Balances {
        /// The file.
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// The programme document (TOML or JSON) for an empty database.
        #[arg(long, env = "ACCRUE_PROGRAM", value_name = "FILE")]
        program: Option<PathBuf>,
    },
    /// Refunds from a CSV file with the columns order_id, refund_id, refunded_on, amount, after the orders. Run it again
    /// after an interruption, or when the file grew: nothing doubles.
    Refunds {
        /// The file.
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// Move every refund forward by so many days, as its orders were.
        #[arg(long, env = "ACCRUE_SHIFT_DAYS", default_value_t = 0, value_name = "DAYS",
              value_parser = clap::value_parser!(i32).range(0..=100_000))]
        shift_days: i32,
    },
}

/// `export`
#[derive(ClapArgs)]
pub struct ExportArgs {
    /// The form.
    #[arg(long, env = "ACCRUE_EXPORT_FORMAT", default_value = "ndjson", value_name = "FORMAT")]
    pub format: Format,
    /// Where to write; else standard output.
    #[arg(long, short, env = "ACCRUE_EXPORT_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `verify`
#[derive(ClapArgs)]
pub struct VerifyArgs {
    /// An export, NDJSON or CSV, to check by its own bytes; `-` for standard input. Else the database is checked, over a
    /// connection for each core; what does not fit into memory meanwhile goes to a file in `TMPDIR`, some 600 MB for a
    /// million entries.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `token`
#[derive(ClapArgs)]
#[command(group = clap::ArgGroup::new("rights").required(true).args(["role", "scope"]))]
pub struct TokenArgs {
    /// Whose token.
    #[arg(long = "as", id = "role", env = "ACCRUE_TOKEN_AS", value_name = "ROLE")]
    pub role: Option<Role>,
    /// The member, with `--as member`.
    #[arg(long, env = "ACCRUE_TOKEN_MEMBER", value_name = "ID", required_if_eq("role", "member"), requires = "role")]
    pub member: Option<MemberId>,
    /// A client's token with these scopes, separated by spaces.
    #[arg(long, env = "ACCRUE_TOKEN_SCOPE", value_name = "SCOPES", value_parser = scopes)]
    pub scope: Option<String>,
    /// How long it is good for: 30s, 15m, 1h, 7d.
    #[arg(long, env = "ACCRUE_TOKEN_TTL", default_value = "1h", value_name = "TIME", value_parser = span)]
    pub ttl: Duration,
    #[command(flatten)]
    pub claims: ClaimArgs,
}

/// Whose token.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// The checkout service.
    Checkout,
    /// Finance.
    Finance,
    /// The operator, with every scope.
    Operator,
    /// A member.
    Member,
}

/// `program`
#[derive(ClapArgs)]
pub struct ProgramArgs {
    #[command(subcommand)]
    pub what: ProgramWhat,
}

/// What to do about programmes.
#[derive(Subcommand)]
pub enum ProgramWhat {
    /// Print an example of a programme document, in TOML, with a word on each field.
    Example,
    /// Print the JSON Schema (2020-12) of programme documents, in TOML and in JSON alike.
    Schema,
    /// Check a programme document and print every fault with its place: exit 0 right, 1 wrong, 2 could not check.
    Check {
        /// The document, TOML or JSON; `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

fn scopes(text: &str) -> Result<String, String> {
    let known = crate::http::access::all_scopes();
    match text.split(' ').find(|scope| !known.contains(scope)) {
        Some(scope) => Err(format!("there is no scope {scope:?}; there are {}", known.join(", "))),
        None => Ok(text.to_owned()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    const MOST: TimeDelta = TimeDelta::days(366);
    let span = time::parse_span(text, MOST).map_err(|fault| fault.to_string())?;
    span.to_std().map_err(|fault| fault.to_string())
}
