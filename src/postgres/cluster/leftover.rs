//! What an earlier service that was killed left behind: a Postgres that runs, or the files of one that does not.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};

use super::error::ClusterError;
use super::folder::{Layout, SOCKET_PORT};
use super::postmaster::{POLL, pid_file, stop_process};

/// How long a `postmaster.pid` may be empty before it counts as broken.
const PID_FILE_PATIENCE: Duration = Duration::from_millis(200);

/// Stops the postmaster that a killed service left, and takes away what would keep a new one from starting.
pub(super) fn clear(layout: &Layout) -> Result<(), ClusterError> {
    let path = pid_file(&layout.postgres);
    if let Some(pid) = recorded_pid(&path)? {
        let is_running = || is_postmaster(pid, &layout.postgres);
        if is_running() {
            tracing::info!(pid = pid.as_raw_pid(), "stopping the Postgres that an earlier service left");
            stop_process(pid, is_running)?;
        }
        disown(&path)?;
    }
    // Only postmasters of this cluster use the folder. A lock of one that is gone, whose process id now belongs
    // to another program, would be taken for a running postmaster's.
    for name in [format!(".s.PGSQL.{SOCKET_PORT}"), format!(".s.PGSQL.{SOCKET_PORT}.lock")] {
        let socket = layout.sockets.join(name);
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ClusterError::io("remove", &socket)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a log says that Postgres ended because another one, or the rest of one, still uses the files.
pub(super) fn kept_out(log: &str) -> bool {
    const SIGNS: [&str; 3] = [
        "pre-existing shared memory block",
        "lock file \"postmaster.pid\" already exists",
        "lock file \"postmaster.pid\" is empty",
    ];
    SIGNS.iter().any(|sign| log.contains(sign))
}

/// The process id in `postmaster.pid`, if there is one.
///
/// A file without a process id, as a crash of the machine may leave it, would keep Postgres from starting: it
/// is removed. But first it gets a moment, in case a postmaster is just about to write it.
fn recorded_pid(path: &Path) -> Result<Option<Pid>, ClusterError> {
    let deadline = Instant::now() + PID_FILE_PATIENCE;
    loop {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ClusterError::io("read", path)(error)),
        };
        let text = String::from_utf8_lossy(&text);
        let pid = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok());
        if let Some(pid) = pid.filter(|&pid| pid > 0).and_then(Pid::from_raw) {
            return Ok(Some(pid));
        }
        if Instant::now() > deadline {
            return fs::remove_file(path).map(|()| None).map_err(ClusterError::io("remove", path));
        }
        std::thread::sleep(POLL);
    }
}

/// Makes Postgres see that the process of a `postmaster.pid`, if it is still there, is no postmaster.
///
/// Postgres refuses to start while the recorded process lives, whatever program it is by now, a zombie too. It
/// knows one exception, its own parent, so that is what gets recorded. The file is not removed, because it also
/// names the shared memory by which Postgres notices that other processes of the old postmaster still work on
/// the files.
fn disown(path: &Path) -> Result<(), ClusterError> {
    let rewrite = || -> io::Result<()> {
        let text = fs::read(path)?;
        let rest = text.iter().position(|&byte| byte == b'\n').map_or(&[][..], |end| &text[end..]);
        let text = [std::process::id().to_string().as_bytes(), rest].concat();
        // Written in place and at once, which keeps the owner and never leaves an empty file.
        let mut file = fs::OpenOptions::new().write(true).open(path)?;
        file.write_all(&text)?;
        file.set_len(text.len() as u64)
    };
    match rewrite() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ClusterError::io("write", path)(error)),
        _ => Ok(()),
    }
}

/// Whether the process is a postmaster of these files. Postmasters keep the arguments they were started with;
/// their children, and zombies, show others or none.
fn is_postmaster(pid: Pid, postgres: &Path) -> bool {
    if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    let Some(command_line) = command_line(pid) else {
        return false;
    };
    let folder = [b" -D ".as_slice(), postgres.as_os_str().as_bytes(), b" "].concat();
    let before = command_line.windows(folder.len()).position(|part| part == folder);
    before.is_some_and(|end| command_line[..end].ends_with(b"/postgres"))
}

/// The program and arguments of a process, with spaces between them.
fn command_line(pid: Pid) -> Option<Vec<u8>> {
    let pid = pid.as_raw_pid();
    if cfg!(target_os = "linux") {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(arguments.into_iter().map(|byte| if byte == 0 { b' ' } else { byte }).collect());
    }
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    Some(output.stdout)
}
