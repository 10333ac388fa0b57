//! Makes the files of a new cluster, whole or not at all.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::Durability;
use super::binaries::Binaries;
use super::error::ClusterError;
use super::existing;
use super::folder::{self, Layout};
use super::postmaster::last_lines;
use super::secrets::{OWNER, Secrets};
use super::user::ServerUser;

/// The name of unfinished files goes on with this.
const UNFINISHED: &str = ".unfinished-";

/// Makes the Postgres files unless they are there.
///
/// `initdb` works in a folder beside the final one, which is renamed when it is complete: a crash in between
/// leaves a folder that the next start removes, never half a cluster.
pub(super) fn ensure_initialised(
    layout: &Layout,
    binaries: &Binaries,
    user: Option<&ServerUser>,
    secrets: &Secrets,
    durability: Durability,
) -> Result<(), ClusterError> {
    remove_unfinished(layout)?;
    if existing::is_cluster(&layout.postgres) {
        return adopt_files(&layout.postgres, user);
    }
    tracing::info!(path = %layout.postgres.display(), "making a new Postgres cluster");
    let files = Unfinished::new(layout, "files");
    let password = Unfinished::new(layout, "password");
    files.create_folder(user)?;
    password.create_file(user, secrets.owner.expose_secret())?;
    run_initdb(binaries, user, &files.path, &password.path, durability)?;
    fs::rename(&files.path, &layout.postgres)
        .and_then(|()| folder::sync_parent(&layout.postgres))
        .map_err(ClusterError::io("make", &layout.postgres))
}

fn run_initdb(
    binaries: &Binaries,
    user: Option<&ServerUser>,
    files: &Path,
    password: &Path,
    durability: Durability,
) -> Result<(), ClusterError> {
    let mut password_option = OsString::from("--pwfile=");
    password_option.push(password);
    let mut command = binaries.command("initdb", user);
    command
        .args(["-U", OWNER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--data-checksums"])
        .arg("--no-instructions")
        .arg(password_option)
        .arg("-D")
        .arg(files)
        .stdin(std::process::Stdio::null());
    if durability == Durability::None {
        command.arg("--no-sync");
    }
    let output = command.output().map_err(ClusterError::io("run initdb for", files))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(ClusterError::InitFailed { status: output.status, output: last_lines(&output.stderr) }),
    }
}

/// Files that root has copied here belong to root, which Postgres would refuse.
fn adopt_files(files: &Path, user: Option<&ServerUser>) -> Result<(), ClusterError> {
    let Some(user) = user else { return Ok(()) };
    let meta = fs::metadata(files).map_err(ClusterError::io("look at", files))?;
    if meta.uid() == user.uid { Ok(()) } else { user.own_all(files) }
}

/// Removes what an interrupted start left. An `initdb` that outlived its service may still be adding to it:
/// what cannot be removed now is left for the next start, for new names never clash with it.
fn remove_unfinished(layout: &Layout) -> Result<(), ClusterError> {
    let prefix = unfinished_prefix(layout);
    let entries = fs::read_dir(&layout.data_dir).map_err(ClusterError::io("list", &layout.data_dir))?;
    for entry in entries.flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "cannot remove what an interrupted start left");
        }
    }
    Ok(())
}

fn unfinished_prefix(layout: &Layout) -> OsString {
    let mut prefix = layout.postgres.file_name().map(OsString::from).unwrap_or_default();
    prefix.push(UNFINISHED);
    prefix
}

/// A file or folder that is removed when this is dropped, unless it was renamed.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    fn new(layout: &Layout, what: &str) -> Self {
        let mut name = unfinished_prefix(layout);
        name.push(format!("{what}-{:08x}", rand::random::<u32>()));
        Self { path: layout.data_dir.join(name) }
    }

    fn create_folder(&self, user: Option<&ServerUser>) -> Result<(), ClusterError> {
        fs::DirBuilder::new().mode(0o700).create(&self.path).map_err(ClusterError::io("make", &self.path))?;
        user.map_or(Ok(()), |user| user.own(&self.path))
    }

    fn create_file(&self, user: Option<&ServerUser>, text: &str) -> Result<(), ClusterError> {
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(ClusterError::io("write", &self.path))?;
        user.map_or(Ok(()), |user| user.own(&self.path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What is left, or was renamed away, is no failure; the next start looks again.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_dir_all(&self.path);
    }
}
