//! The clusters that a data folder holds already.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ClusterError;

/// The clusters that a data folder holds already.
#[derive(Debug)]
pub(super) struct Existing {
    pub(super) data_dir: PathBuf,
    /// Ascending.
    pub(super) majors: Vec<u32>,
}

/// The folder of the Postgres files of version `major`.
pub(super) fn postgres_files(data_dir: &Path, major: u32) -> PathBuf {
    data_dir.join(format!("postgres-{major}"))
}

/// The clusters in `data_dir`, which need not exist.
pub(super) fn majors(data_dir: &Path) -> Result<Existing, ClusterError> {
    let mut majors = Vec::new();
    let entries = match fs::read_dir(data_dir) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(ClusterError::io("list", data_dir)(error)),
    };
    for entry in entries.into_iter().flatten() {
        let entry = entry.map_err(ClusterError::io("list", data_dir))?;
        let name = entry.file_name();
        let major = name.to_str().and_then(|name| name.strip_prefix("postgres-")?.parse::<u32>().ok());
        majors.extend(major.filter(|_| is_cluster(&entry.path())));
    }
    majors.sort_unstable();
    Ok(Existing { data_dir: data_dir.to_owned(), majors })
}

/// Whether `path` holds the files of a cluster.
pub(super) fn is_cluster(path: &Path) -> bool {
    path.join("PG_VERSION").is_file()
}
