//! Finds the installed Postgres binaries.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{ClusterError, OLDEST};
use super::existing::Existing;
use super::user::ServerUser;

const OVERRIDE: &str = "ACCRUE_POSTGRES_BIN";

/// Where packages put binaries: below `parent`, in folders whose names start with `prefix`.
const PACKAGED: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", ""),
    ("/usr/local/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
];

/// One version's `postgres` and `initdb`.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    folder: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// The newest usable binaries; of the version of a cluster in `existing` if there is one, because only
    /// they can read it, and a newer version that was installed beside them must not stop the service.
    pub(super) fn find(given: Option<&Path>, existing: &Existing) -> Result<Self, ClusterError> {
        let found = match given.map(PathBuf::from).or_else(|| env::var_os(OVERRIDE).map(PathBuf::from)) {
            Some(folder) => Found::only(folder),
            None => Found::installed(),
        };
        let mut usable = found.usable()?;
        usable.sort_by_key(|binaries| binaries.major);
        let installed = usable.iter().map(|binaries| binaries.major).collect();
        usable
            .into_iter()
            .rfind(|binaries| existing.majors.is_empty() || existing.majors.contains(&binaries.major))
            .ok_or_else(|| ClusterError::OtherMajorVersion {
                data_dir: existing.data_dir.clone(),
                existing: existing.majors.clone(),
                installed,
            })
    }

    /// A command that runs one of the binaries as `user`, with nothing of the service's environment.
    pub(super) fn command(&self, name: &str, user: Option<&ServerUser>) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command
            .env_clear()
            .env("LANG", "C")
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin")
            // The user may be unable to enter the folder that the service was started in.
            .current_dir("/");
        if let Some(user) = user {
            user.run(&mut command);
        }
        command
    }
}

struct Found {
    places: String,
    binaries: Vec<Binaries>,
}

impl Found {
    fn only(folder: PathBuf) -> Self {
        Self { places: folder.display().to_string(), binaries: inspect(folder).into_iter().collect() }
    }

    fn installed() -> Self {
        let packaged: Vec<_> =
            PACKAGED.iter().flat_map(|(parent, prefix)| below(parent, prefix)).filter_map(inspect).collect();
        let binaries = if packaged.iter().any(|binaries| binaries.major >= OLDEST) {
            packaged
        } else {
            packaged.into_iter().chain(on_path()).collect()
        };
        Self { places: "/usr/lib/postgresql, the other usual places and PATH".into(), binaries }
    }

    fn usable(self) -> Result<Vec<Binaries>, ClusterError> {
        let Some(newest) = self.binaries.iter().max_by_key(|binaries| binaries.major) else {
            return Err(ClusterError::BinariesMissing { places: self.places });
        };
        if newest.major < OLDEST {
            return Err(ClusterError::BinariesTooOld { found: newest.major, folder: newest.folder.clone() });
        }
        Ok(self.binaries.into_iter().filter(|binaries| binaries.major >= OLDEST).collect())
    }
}

fn below(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join("bin"))
        .collect()
}

fn on_path() -> Option<Binaries> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .filter_map(|folder| fs::canonicalize(folder.join("postgres")).ok())
        .find_map(|postgres| inspect(postgres.parent()?.to_owned()))
}

/// What lies in `folder`, if both binaries do and `postgres` tells its version.
fn inspect(folder: PathBuf) -> Option<Binaries> {
    // Commands run from `/`: a relative folder would name another place there.
    let folder = fs::canonicalize(folder).ok()?;
    if !folder.join("initdb").is_file() || !folder.join("postgres").is_file() {
        return None;
    }
    let unversioned = Binaries { folder, major: 0 };
    let output = unversioned.command("postgres", None).arg("--version").output().ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { major, ..unversioned })
}

/// The major version in `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`, also of `18beta1`.
fn parse_major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("something else 17.1\n"), None);
    }

    #[test]
    fn binaries_that_are_too_old_are_refused_with_the_way_to_newer_ones() {
        let old = Binaries { folder: "/opt/old".into(), major: 13 };
        let error = Found { places: String::new(), binaries: vec![old] }.usable().unwrap_err().to_string();
        assert!(error.contains("PostgreSQL 13 in /opt/old is too old"), "{error}");
        assert!(error.contains("apt-get install postgresql"), "{error}");
    }
}
