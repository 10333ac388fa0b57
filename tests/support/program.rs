//! The program itself, as a process with a data folder of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::{env, fs, thread};

use accrue::postgres::connect;
use diesel::PgConnection;
use rustix::process::{Pid, Signal, kill_process};

/// A folder below `/tmp`, which other users may enter: Postgres does not run as root. It goes away with its value.
pub struct Place(PathBuf);

impl Place {
    /// A new folder.
    pub fn new() -> Self {
        let path = PathBuf::from(format!("/tmp/accrue-test-{:08x}", rand::random::<u32>()));
        fs::create_dir(&path).expect("a folder can be made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        Self(path)
    }

    /// A name in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with this text.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the file can be written");
        path
    }

    /// The folder of the private cluster.
    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// The program with these arguments, on this folder's cluster, and nothing of the environment that it would read.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_accrue"));
        let ours = |name: &str| name.starts_with("ACCRUE_") || name == "DATABASE_URL";
        env::vars().filter(|(name, _)| ours(name)).for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.env("ACCRUE_DATA_DIR", self.data_dir()).args(arguments).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    /// A connection as the owner, as long as the private cluster answers.
    pub fn owner(&self) -> Option<PgConnection> {
        let password = fs::read_to_string(self.data_dir().join("secrets/owner-password")).ok()?;
        let socket = self.data_dir().join("socket").display().to_string().replace('/', "%2F");
        connect::plain(&format!("postgresql://accrue_owner:{}@{socket}:5432/accrue", password.trim())).ok()
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the program can be run"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Panics with everything unless the exit code is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// What becomes of the standard error of a service once it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// It is read.
    Read,
    /// The pipe stays open, and nobody reads it.
    Stalled,
    /// The reader goes.
    Gone,
}

/// A service that runs beside the test. It is killed if the test ends before it does.
pub struct Running {
    process: Child,
    /// What it has said, as far as that is read.
    said: Arc<Mutex<String>>,
    /// The end of a pipe that nobody reads.
    _stalled: Option<BufReader<ChildStderr>>,
    /// `http://host:port`
    pub base: String,
}

impl Running {
    /// Starts `accrue serve` on a free port and waits until it listens.
    pub fn serve(place: &Place, program: &Path) -> Self {
        Self::serve_with(place, program, &[])
    }

    /// As [`Self::serve`], with more arguments.
    pub fn serve_with(place: &Place, program: &Path, more: &[&str]) -> Self {
        Self::serve_to(Stderr::Read, place, program, more)
    }

    /// As [`Self::serve_with`], with something else on the other end of its standard error.
    pub fn serve_to(end: Stderr, place: &Place, program: &Path, more: &[&str]) -> Self {
        let program = program.to_str().expect("a path in UTF-8");
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--program", program]);
        command.args(more);
        Self::start(end, command)
    }

    /// Starts a service by this command, with this on the other end of its standard error, and waits until it listens.
    pub fn start(end: Stderr, mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program can be run");
        let mut stderr = BufReader::new(process.stderr.take().expect("it is piped"));
        let (mut text, mut line) = (String::new(), String::new());
        let base = loop {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).expect("it can be read"), 0, "the service ended: {text}");
            text.push_str(&line);
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split([',', '\n', '"']).next().unwrap_or_default().to_owned();
            }
        };
        let said = Arc::new(Mutex::new(text));
        let stalled = match end {
            Stderr::Read => {
                let said = Arc::clone(&said);
                thread::spawn(move || {
                    for line in stderr.lines().map_while(Result::ok) {
                        let mut said = said.lock().expect("a line is added whole");
                        said.push_str(&line);
                        said.push('\n');
                    }
                });
                None
            }
            Stderr::Stalled => Some(stderr),
            Stderr::Gone => None,
        };
        Self { process, said, _stalled: stalled, base }
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("a line is added whole").clone()
    }

    /// Asks it to stop, as an operating system does, and waits for its end.
    pub fn terminate(mut self) -> Option<i32> {
        signal(&self.process, Signal::TERM);
        self.process.wait().expect("it ends").code()
    }
}

/// Sends a signal to a process that runs.
pub fn signal(process: &Child, signal: Signal) {
    let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
    kill_process(id, signal).expect("it runs");
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
