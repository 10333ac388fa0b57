//! What the command line says about tokens, and what production asks of it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::source::{JwksFile, JwksUrl, without_secrets};
use super::{AuthSetupError, DevelopmentKey};

/// What tokens must say and which keys may sign them.
#[derive(Clone)]
pub struct AuthConfig {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be or contain.
    pub audience: String,
    /// A JWKS file, read again when it changes.
    pub jwks_file: Option<PathBuf>,
    /// A JWKS address, fetched again every few minutes.
    pub jwks_url: Option<String>,
    /// The secret of HS256 tokens; without it none is accepted.
    pub hs256_secret: Option<SecretString>,
    /// The key of tokens issued on this machine; never in production.
    pub development_key: Option<DevelopmentKey>,
    /// How far the clocks may differ. Whole seconds.
    pub leeway: Duration,
}

impl AuthConfig {
    /// Whether there are keys besides the development key.
    pub(super) fn has_keys(&self) -> bool {
        self.jwks_file.is_some() || self.jwks_url.is_some() || self.hs256_secret.is_some()
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        AuthConfig {
            issuer: "accrue".to_owned(),
            audience: "accrue".to_owned(),
            jwks_file: None,
            jwks_url: None,
            hs256_secret: None,
            development_key: None,
            leeway: Duration::from_secs(30),
        }
    }
}

/// Shows neither the secret nor what an address may carry besides host and path.
impl fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthConfig")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("jwks_file", &self.jwks_file)
            .field("jwks_url", &self.jwks_url.as_deref().map(without_secrets))
            .field("hs256_secret", &self.hs256_secret.as_ref().map(|_| "[hidden]"))
            .field("development_key", &self.development_key)
            .field("leeway", &self.leeway)
            .finish()
    }
}

/// Refuses a configuration that must not go into production: one without keys, or one that trusts the development
/// key, by itself or inside a JWKS. Reads the JWKS file and fetches the JWKS URL. An identity provider that is away is no
/// reason: whatever it gives later, a key under the development key's name is never used.
pub fn refuse_in_production(config: &AuthConfig) -> Result<(), AuthSetupError> {
    if config.development_key.is_some() {
        return Err(AuthSetupError::DevelopmentKeyInProduction);
    }
    if !config.has_keys() {
        return Err(AuthSetupError::ProductionWithoutKeys);
    }
    if let Some(path) = &config.jwks_file {
        let (file, keys) = JwksFile::open(path.clone())?;
        if keys.names_development_key {
            return Err(AuthSetupError::DevelopmentKeyInJwks { place: file.place().to_owned() });
        }
    }
    if let Some(address) = &config.jwks_url {
        let url = JwksUrl::new(address)?;
        if url.fetch().is_ok_and(|jwks| jwks.names_development_key) {
            return Err(AuthSetupError::DevelopmentKeyInJwks { place: url.place().to_owned() });
        }
    }
    Ok(())
}
