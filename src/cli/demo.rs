//! `accrue demo`: real purchases become points, in front of your eyes.

use std::io::{self, Cursor, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use chrono::{Days, NaiveDate};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::args::{ClaimArgs, DatabaseArgs, DemoArgs, KeyArgs, Role};
use super::database::{Database, unreachable};
use super::{import, logs, serve, token};
use crate::domain::ids::MemberId;
use crate::http::auth::DevelopmentKey;
use crate::ledger::{Ledger, Mode, setup};
use crate::postgres::clock::Clock;
use crate::postgres::connect;
use crate::read::route::{self, Primary};

/// The demonstration's programme.
const PROGRAM: &str = include_str!("program.toml");

/// 69 659 purchases of 23 570 customers, January 1997 to June 1998.
const ORDERS: &[u8] = include_bytes!("../../tests/data/cdnow_orders.csv");

/// Who made the last of them, and when.
const LAST_CUSTOMER: &str = "23149";
const LAST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1998, 6, 30).expect("a date of the calendar");

/// How long the printed tokens are good for.
const TTL: Duration = Duration::from_secs(24 * 3_600);

/// Loads the orders if they are not there yet, serves, and prints what to try.
pub fn run(database_args: &DatabaseArgs, args: &DemoArgs) -> Result<()> {
    if database_args.database_url.is_some() {
        return Err(anyhow!("demo works on its private cluster alone; leave --database-url and DATABASE_URL out"));
    }
    let listener = serve::listen(&args.listen)?;
    let database = Database::for_service(database_args, Mode::Sandbox)?;
    // A demonstration that an older version of this program made has that version's programme, and keeps it.
    if !setup::is_demonstration(&mut database.owner()?)? {
        database.seed(PROGRAM)?;
    }
    let ledger = serve::open(&database, &args.listen)?;
    let shift = load(&database, &ledger)?;

    let claims = ClaimArgs { issuer: "accrue".to_owned(), audience: "accrue".to_owned() };
    let key = token::development_key(&database_args.data_dir)?;
    let keys = KeyArgs { claims, jwks_file: None, jwks_url: None, hs256_secret: None };
    let mut accepted = serve::auth_config(&keys);
    accepted.development_key = Some(key.clone());
    let mut connection = connect::plain(&database.url).map_err(unreachable)?;
    let member = route::member(&mut Primary(&mut connection), LAST_CUSTOMER)?;
    let member = member.context("the demonstration's customers are missing")?;
    let tour = Tour { key, claims: keys.claims, member, last_day: moved(shift) };
    serve::run_until_stopped(ledger, &database.url, accepted, (listener, &args.listen), async |address| {
        // The calls are made for real, so that what is shown is what they answer. The thread is nobody's to wait for:
        // where standard output is not read, it waits for ever.
        let (done, toured) = oneshot::channel();
        let printed =
            thread::Builder::new().name("tour".to_owned()).spawn(move || done.send(tour.print(address, shift)));
        if let (Ok(_), Ok(Err(error))) = (printed, toured.await) {
            tracing::warn!("the tour could not be printed: {error:#}");
        }
    })
}

// Posts the orders, so shifted that the last purchase was the day before the first run. The shift is kept: a restart
// tomorrow posts nothing new.
fn load(database: &Database, ledger: &Ledger) -> Result<i32> {
    let mut owner = database.owner()?;
    let program = ledger.programs().book().latest_version().program.clone();
    let today = Clock::database().look(&mut owner)?.now.with_timezone(&program.time_zone).date_naive();
    let yesterday = today.pred_opt().context("today is the first day of the calendar")?;
    let shift = setup::demo_shift(&mut owner, i32::try_from((yesterday - LAST_DAY).num_days())?)?;
    if !setup::demo_loaded(&mut owner)? {
        logs::say("loading 69 659 real orders of 23 570 customers …");
        let began = Instant::now();
        let report = import::orders(ledger, &database.url, Cursor::new(ORDERS), shift)?;
        logs::say(report.said(began.elapsed()));
        // Only now: a service that is killed before posts what is missing at the next start.
        setup::set_demo_loaded(&mut owner)?;
        analyse(database)?;
    }
    Ok(shift)
}

// Fresh tables have no statistics, and readers' plans follow them.
fn analyse(database: &Database) -> Result<()> {
    Ok(diesel::connection::SimpleConnection::batch_execute(&mut database.owner()?, "ANALYZE")?)
}

// The last day, moved forward.
fn moved(shift: i32) -> NaiveDate {
    let days = Days::new(u64::try_from(shift).unwrap_or_default());
    LAST_DAY.checked_add_days(days).unwrap_or(LAST_DAY)
}

struct Tour {
    key: DevelopmentKey,
    claims: ClaimArgs,
    member: MemberId,
    last_day: NaiveDate,
}

impl Tour {
    fn print(&self, address: SocketAddr, shift: i32) -> Result<()> {
        let checkout = self.token(Role::Checkout)?;
        let app = token::issue_role(&self.key, &self.claims, Role::Member, Some(self.member), TTL)?;
        let finance = self.token(Role::Finance)?;
        let operator = self.token(Role::Operator)?;
        let (last_day, mut out) = (self.last_day, io::stdout());
        writeln!(out, "\nAccrue serves http://{address}; the documentation is at http://{address}/docs/")?;
        writeln!(out, "The orders are from 1997 and 1998, moved forward by {shift} days: the last is of {last_day}.")?;
        writeln!(out, "\nTokens, good for a day:\n")?;
        writeln!(
            out,
            "export CHECKOUT={checkout}\nexport APP={app}\nexport FINANCE={finance}\nexport OPERATOR={operator}"
        )?;
        writeln!(out, "\nTry, in another terminal:\n")?;
        let base = format!("http://{address}");
        show(&base, "/v1/members/me/wallet", ("APP", &app), None)?;
        // The same at every start, so that the tour earns once.
        let order = json!({
            "order_id": "demo-1", "member_id": self.member, "occurred_at": format!("{last_day}T17:00:00Z"),
            "currency": "USD", "amount": "42.50",
        });
        show(&base, "/v1/orders", ("CHECKOUT", &checkout), Some(&order))?;
        writeln!(out, "# sent again, it gets the same answer and earns nothing twice\n")?;
        show(&base, "/v1/members/me/entries?limit=2", ("APP", &app), None)?;
        show(&base, "/v1/ledger/journals", ("FINANCE", &finance), None)?;
        let program = std::env::args().next().unwrap_or_else(|| "accrue".to_owned());
        let export =
            format!("curl -s -H \"Authorization: Bearer $FINANCE\" {base}/v1/ledger/export | {program} verify -");
        writeln!(out, "$ {export}\n# right: checks every hash of every entry, here as on a stranger's machine\n")?;
        let advance = format!("--json '{{\"advance\":\"14D\"}}' {base}/v1/sandbox/clock");
        writeln!(out, "$ curl -s -H \"Authorization: Bearer $OPERATOR\" {advance}")?;
        writeln!(out, "# for you to make: moves the sandbox's clock, for good; then see what the wallet has active\n")?;
        writeln!(out, "Ctrl-C stops it; the data stays.")?;
        Ok(())
    }

    fn token(&self, role: Role) -> Result<String> {
        token::issue_role(&self.key, &self.claims, role, None, TTL)
    }
}

// Makes a call, and prints it with what it answers.
fn show(base: &str, path: &str, (name, token): (&str, &str), body: Option<&Value>) -> Result<()> {
    let url = format!("{base}{path}");
    let quoted = if path.contains('?') { format!("'{url}'") } else { url.clone() };
    let authorization = format!("Bearer {token}");
    let mut out = io::stdout();
    let mut response = match body {
        Some(body) => {
            writeln!(out, "$ curl -s -H \"Authorization: Bearer ${name}\" --json '{body}' {quoted}")?;
            let request = ureq::post(&url).header("Authorization", &authorization);
            request.content_type("application/json").send(body.to_string())?
        }
        None => {
            writeln!(out, "$ curl -s -H \"Authorization: Bearer ${name}\" {quoted}")?;
            ureq::get(&url).header("Authorization", &authorization).call()?
        }
    };
    writeln!(out, "{}\n", response.body_mut().read_to_string()?)?;
    Ok(())
}
