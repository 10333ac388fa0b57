//! The unprivileged user that runs Postgres when the service is root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::error::ClusterError;
use super::existing;

/// A user other than root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerUser {
    pub(super) uid: u32,
    gid: u32,
}

impl ServerUser {
    /// The user for the cluster in `data_dir`; `None` if the service is not root and runs Postgres as itself.
    ///
    /// An existing cluster keeps its owner, so that a user `postgres` who appears later, or root starting what
    /// a plain user made, does not take its files away from it.
    pub(super) fn for_cluster_in(data_dir: &Path) -> Result<Option<Self>, ClusterError> {
        if !is_root() {
            return Ok(None);
        }
        for major in existing::majors(data_dir)?.majors.into_iter().rev() {
            let files = existing::postgres_files(data_dir, major);
            let meta = fs::metadata(&files).map_err(ClusterError::io("look at", &files))?;
            if meta.uid() != 0 {
                return Ok(Some(Self { uid: meta.uid(), gid: meta.gid() }));
            }
        }
        let passwd = Path::new("/etc/passwd");
        let users = fs::read_to_string(passwd).map_err(ClusterError::io("read", passwd))?;
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| find(&users, name))
            .map(Some)
            .ok_or(ClusterError::NoServerUser)
    }

    /// Makes `command` run as this user. With the user id, the standard library also drops root's
    /// supplementary groups.
    pub(super) fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether this user may enter `folder` and all folders above it; those that are still to be made are not
    /// asked.
    pub(super) fn can_enter(&self, folder: &Path) -> io::Result<bool> {
        for above in folder.ancestors() {
            match fs::metadata(above) {
                Ok(meta) if !self.may_pass(&meta) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Gives `path` to this user.
    pub(super) fn own(&self, path: &Path) -> Result<(), ClusterError> {
        lchown(path, Some(self.uid), Some(self.gid)).map_err(ClusterError::io("change the owner of", path))
    }

    /// Gives the folder `path` with all that is in it to this user; the folder last, so that one that was
    /// interrupted shows it.
    pub(super) fn own_all(&self, path: &Path) -> Result<(), ClusterError> {
        for entry in fs::read_dir(path).map_err(ClusterError::io("list", path))? {
            let entry = entry.map_err(ClusterError::io("list", path))?;
            let kind = entry.file_type().map_err(ClusterError::io("look at", &entry.path()))?;
            if kind.is_dir() { self.own_all(&entry.path())? } else { self.own(&entry.path())? }
        }
        self.own(path)
    }

    fn may_pass(&self, meta: &fs::Metadata) -> bool {
        let needed = match (meta.uid() == self.uid, meta.gid() == self.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        meta.permissions().mode() & needed != 0
    }
}

/// Whether the service is root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Finds `name` in the text of `/etc/passwd`.
fn find(users: &str, name: &str) -> Option<ServerUser> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = fields.into_iter().find(|fields| fields[0] == name)?;
    let user = ServerUser { uid: user.get(2)?.parse().ok()?, gid: user.get(3)?.parse().ok()? };
    (user.uid != 0).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name_and_never_root() {
        let users = "root:x:0:0::/:/bin/sh\npostgres2:x:7:7::/:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(find(users, "postgres"), Some(ServerUser { uid: 101, gid: 104 }));
        assert_eq!(find(users, "nobody"), None);
        assert_eq!(find(users, "root"), None);
    }
}
