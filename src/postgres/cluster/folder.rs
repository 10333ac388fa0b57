//! The data folder: where it lies, what it holds, and who may use it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::error::ClusterError;
use super::existing::{majors, postgres_files};
use super::user::{ServerUser, is_root};
use crate::domain::digest::sha256;
use crate::domain::journal::entry::hex;

/// How long to wait for the lock. A service that was killed while it started a program leaves a copy of itself
/// that holds the lock until it has become that program.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Names the socket file; nothing listens on a TCP port.
pub(super) const SOCKET_PORT: u16 = 5432;

/// The longest socket folder. With the socket's own name behind it, the path has to fit the 104 bytes that
/// macOS has for it (Linux has 108).
const MAX_SOCKET_FOLDER: usize = 88;

/// Where data folders go that the user who runs Postgres could not enter.
const RELOCATED: &str = "/var/lib/accrue";

/// The longest log to go on with.
const MAX_LOG: u64 = 16 << 20;

/// The folder to use for the data that is wanted in `wanted`: an absolute path, without symbolic links.
///
/// It is another folder, below `/var/lib/accrue`, if the service is root and the unprivileged user that has to
/// run Postgres cannot enter the one that is wanted, as below root's home. The answer depends on nothing but
/// the folders, so every command gets the same; it stays once there is a cluster.
pub fn resolve_data_dir(wanted: &Path) -> Result<PathBuf, ClusterError> {
    let wanted = canonical(wanted)?;
    let Some(user) = ServerUser::for_cluster_in(&wanted)? else {
        return Ok(wanted);
    };
    let can_enter = |path: &Path| user.can_enter(path).map_err(ClusterError::io("look at", path));

    let has_cluster = !majors(&wanted)?.majors.is_empty();
    let relocated = Path::new(RELOCATED).join(&hex(&sha256(&[wanted.as_os_str().as_encoded_bytes()]))[..16]);
    let was_relocated = !has_cluster && !majors(&relocated)?.majors.is_empty();
    if !was_relocated && can_enter(&wanted)? {
        return Ok(wanted);
    }
    if has_cluster {
        // Going elsewhere would show an empty ledger instead of the one that is here.
        return Err(ClusterError::Unreachable { path: wanted, uid: user.uid });
    }
    if !can_enter(&relocated)? {
        return Err(ClusterError::Unreachable { path: relocated, uid: user.uid });
    }
    tracing::info!(
        wanted = %wanted.display(),
        used = %relocated.display(),
        "the user that runs Postgres cannot enter the data folder; using another one"
    );
    Ok(relocated)
}

/// The data folder, locked against other services. Dropping it unlocks.
#[derive(Debug)]
pub(super) struct Folder {
    lock: File,
    path: PathBuf,
}

impl Folder {
    /// Makes the folder if needed and locks it.
    pub(super) fn lock(data_dir: &Path) -> Result<Self, ClusterError> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match Self::try_lock(data_dir) {
                Err(ClusterError::Locked { .. }) if Instant::now() < deadline => thread::sleep(LOCK_POLL),
                outcome => return outcome,
            }
        }
    }

    /// Makes the folder if needed and locks it, unless it is locked at this moment.
    pub(super) fn try_lock(data_dir: &Path) -> Result<Self, ClusterError> {
        // The user that Postgres runs as has to pass through, no more.
        let mode = if is_root() { 0o711 } else { 0o700 };
        create_folders(data_dir, mode).map_err(ClusterError::io("make", data_dir))?;

        let path = lock_file(data_dir);
        let mut lock = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(ClusterError::io("open", &path))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(ClusterError::Locked { data_dir: data_dir.to_owned(), holder: Holder::of(data_dir).pid });
            }
            Err(error) => return Err(ClusterError::io("lock", &path)(error.into())),
        }
        lock.set_len(0)
            .and_then(|()| write_line(&mut lock, std::process::id()))
            .map_err(ClusterError::io("write", &path))?;
        Ok(Self { lock, path })
    }

    /// Lets others know that the cluster of version `major` is ready for them too.
    pub(super) fn announce(&mut self, major: u32) -> Result<(), ClusterError> {
        write_line(&mut self.lock, major).map_err(ClusterError::io("write", &self.path))
    }
}

/// What the lock file says: a line with the process that holds the folder, and, once its Postgres is ready for
/// others, a line with the major version. It means something only while the folder is locked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) pid: Option<u32>,
    pub(super) serving: Option<u32>,
}

impl Holder {
    /// Reads the lock file. A file that cannot be read says nothing.
    pub(super) fn of(data_dir: &Path) -> Self {
        let text = fs::read_to_string(lock_file(data_dir)).unwrap_or_default();
        let mut lines = text.lines();
        let mut next = || lines.next()?.parse().ok();
        Self { pid: next(), serving: next() }
    }
}

/// The paths of one cluster.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) data_dir: PathBuf,
    pub(super) postgres: PathBuf,
    pub(super) log: PathBuf,
    pub(super) secrets: PathBuf,
    pub(super) sockets: PathBuf,
}

impl Layout {
    pub(super) fn new(data_dir: &Path, major: u32) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            postgres: postgres_files(data_dir, major),
            log: data_dir.join(format!("postgres-{major}.log")),
            secrets: data_dir.join("secrets"),
            sockets: socket_folder(data_dir),
        }
    }

    /// Makes the folders that Postgres does not make itself, and sets a long log aside.
    pub(super) fn prepare(&self, user: Option<&ServerUser>) -> Result<(), ClusterError> {
        create_folders(&self.secrets, 0o700)
            .and_then(|()| fs::set_permissions(&self.secrets, fs::Permissions::from_mode(0o700)))
            .map_err(ClusterError::io("make", &self.secrets))?;
        self.prepare_sockets(user)?;
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > MAX_LOG) {
            let old = self.log.with_extension("log.old");
            fs::rename(&self.log, &old).map_err(ClusterError::io("rename", &self.log))?;
        }
        Ok(())
    }

    /// Makes the socket folder. It may lie in `/tmp`, where anybody may have made one of that name: it has to
    /// be a folder that belongs to the right user, and to which nobody else has access.
    fn prepare_sockets(&self, user: Option<&ServerUser>) -> Result<(), ClusterError> {
        let path = &self.sockets;
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(ClusterError::io("make", path)(error)),
        }
        let me = rustix::process::geteuid().as_raw();
        let owner = user.map_or(me, |user| user.uid);
        let meta = fs::symlink_metadata(path).map_err(ClusterError::io("look at", path))?;
        let is_private = meta.is_dir() && meta.permissions().mode() & 0o077 == 0;
        if !is_private || (meta.uid() != owner && meta.uid() != me) {
            return Err(ClusterError::SocketFolderTaken { path: path.clone() });
        }
        user.map_or(Ok(()), |user| user.own(path))
    }
}

/// Makes the entry of `path` in its folder durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn lock_file(data_dir: &Path) -> PathBuf {
    data_dir.join("lock")
}

/// Writes at once, so that nobody reads a part of `number`.
fn write_line(file: &mut File, number: u32) -> io::Result<()> {
    file.write_all(format!("{number}\n").as_bytes())
}

/// Makes `path` and what is missing above it with `mode`, whatever the umask says.
fn create_folders(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_folders(parent, mode)?;
    }
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Resolves links and dots as far as the path exists.
fn canonical(path: &Path) -> Result<PathBuf, ClusterError> {
    let absolute = std::path::absolute(path).map_err(ClusterError::io("resolve", path))?;
    let mut resolved = PathBuf::from("/");
    for component in absolute.components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir => drop(resolved.pop()),
            _ => continue,
        }
        match fs::canonicalize(&resolved) {
            Ok(real) => resolved = real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ClusterError::io("resolve", path)(error)),
        }
    }
    Ok(resolved)
}

/// In the data folder if that makes a path that is short enough and that no list of folders, which is what
/// Postgres takes, could misread; else in `/tmp`, named after the data folder.
fn socket_folder(data_dir: &Path) -> PathBuf {
    let inside = data_dir.join("socket");
    let bytes = inside.as_os_str().as_encoded_bytes();
    let is_plain = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte));
    if is_plain && bytes.len() <= MAX_SOCKET_FOLDER {
        return inside;
    }
    let name = hex(&sha256(&[data_dir.as_os_str().as_encoded_bytes()]));
    Path::new("/tmp").join(format!("accrue-{}", &name[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_lie_in_the_data_folder_unless_its_path_is_long_or_odd() {
        assert_eq!(socket_folder(Path::new("/srv/a")), Path::new("/srv/a/socket"));
        for odd in [format!("/srv/{}", "a".repeat(90)), "/srv/a,b".into(), "/srv/a b".into()] {
            let folder = socket_folder(Path::new(&odd));
            assert!(folder.starts_with("/tmp") && folder.as_os_str().len() < 40, "{folder:?}");
        }
    }

    #[test]
    fn dots_and_missing_ends_of_a_path_are_resolved() {
        assert_eq!(canonical(Path::new("/usr/../no/such/./x/../y")).unwrap(), Path::new("/no/such/y"));
    }
}
