//! The passwords of the two login roles, and the URLs that carry them.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretString};

use super::error::ClusterError;
use super::existing;
use super::folder::{self, Layout, SOCKET_PORT};
use crate::domain::journal::entry::hex;

/// The superuser that owns the cluster.
pub(super) const OWNER: &str = "accrue_owner";
/// The role that the service logs in as.
pub(super) const LOGIN: &str = "accrue";

const PASSWORD_BYTES: usize = 32;

/// All but what has no meaning anywhere in a URL (RFC 3986, section 2.3).
const NOT_PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The passwords. They are hexadecimal, so they need no quoting in SQL or in a URL.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) owner: SecretString,
    pub(super) service: SecretString,
}

impl Secrets {
    /// Reads the passwords, and makes those that are not there yet.
    ///
    /// The service's password is set at every start. The owner's is set when the cluster is made: once there
    /// is a cluster, a new one would open nothing.
    pub(super) fn load_or_create(layout: &Layout) -> Result<Self, ClusterError> {
        let owner = owner_file(layout);
        let service = service_file(layout);
        Ok(Self {
            owner: match load(&owner)? {
                Some(password) => password,
                None if existing::is_cluster(&layout.postgres) => {
                    return Err(ClusterError::SecretMissing { path: owner });
                }
                None => create(&owner)?,
            },
            service: match load(&service)? {
                Some(password) => password,
                None => create(&service)?,
            },
        })
    }

    /// Reads the passwords of a cluster that runs.
    pub(super) fn load(layout: &Layout) -> Result<Self, ClusterError> {
        let read = |path: PathBuf| load(&path)?.ok_or(ClusterError::SecretMissing { path });
        Ok(Self { owner: read(owner_file(layout))?, service: read(service_file(layout))? })
    }

    pub(super) fn owner_url(&self, sockets: &Path, database: &str) -> String {
        url(OWNER, &self.owner, sockets, database)
    }

    pub(super) fn service_url(&self, sockets: &Path, database: &str) -> String {
        url(LOGIN, &self.service, sockets, database)
    }
}

fn owner_file(layout: &Layout) -> PathBuf {
    layout.secrets.join("owner-password")
}

fn service_file(layout: &Layout) -> PathBuf {
    layout.secrets.join("service-password")
}

fn url(role: &str, password: &SecretString, sockets: &Path, database: &str) -> String {
    // As the host of a URL, a socket folder is told from a name by its first slash, which must be encoded.
    let host = percent_encode(sockets.as_os_str().as_encoded_bytes(), NOT_PLAIN);
    let database = percent_encode(database.as_bytes(), NOT_PLAIN);
    format!("postgresql://{role}:{}@{host}:{SOCKET_PORT}/{database}", password.expose_secret())
}

fn load(path: &Path) -> Result<Option<SecretString>, ClusterError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ClusterError::io("read", path)(error)),
    };
    let password = text.trim_end();
    let is_ours = password.len() == 2 * PASSWORD_BYTES && password.bytes().all(|b| b.is_ascii_hexdigit());
    match is_ours {
        true => Ok(Some(SecretString::from(password))),
        false => Err(ClusterError::SecretMalformed { path: path.to_owned() }),
    }
}

fn create(path: &Path) -> Result<SecretString, ClusterError> {
    let mut bytes = [0; PASSWORD_BYTES];
    SysRng.try_fill_bytes(&mut bytes).map_err(ClusterError::Random)?;
    let password = hex(&bytes);
    write_whole(path, &password).map_err(ClusterError::io("write", path))?;
    Ok(SecretString::from(password))
}

/// Writes a file that is either there with all of `text`, even after a crash, or not there.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    folder::sync_parent(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_carries_the_socket_folder_as_its_host() {
        let password = SecretString::from("0af");
        assert_eq!(
            url(LOGIN, &password, Path::new("/tmp/a b"), "shop"),
            "postgresql://accrue:0af@%2Ftmp%2Fa%20b:5432/shop"
        );
    }

    #[test]
    fn passwords_do_not_show_in_debug_output() {
        let secrets = Secrets { owner: "c0ffee".into(), service: "decade".into() };
        let shown = format!("{secrets:?}");
        assert!(!shown.contains("c0ffee") && !shown.contains("decade"), "{shown}");
    }
}
