//! Signers, keys, folders and servers for the tests.

pub use std::fs;
pub use std::io::Read;
pub use std::net::TcpListener;
pub use std::os::unix::fs::PermissionsExt;
pub use std::path::{Path, PathBuf};
pub use std::sync::{Arc, Barrier};
pub use std::thread;
pub use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use accrue::domain::ids::MemberId;
pub use accrue::http::auth::{
    AuthConfig, AuthRefusal, AuthSetupError, Authenticator, Caller, DEVELOPMENT_KID, DevelopmentKey,
    DevelopmentKeyError, JwksFault, RefreshTimes, Scopes, Subject, TokenClaims, refuse_in_production,
};
pub use base64::Engine;
pub use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
pub use secrecy::SecretString;
pub use serde_json::{Value, json};
pub use uuid::Uuid;
pub use wiremock::ResponseTemplate;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Respond};

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Signer {
    pub fn with_kid(self, kid: Option<&str>) -> Signer {
        Signer { kid: kid.map(str::to_owned), ..self }
    }

    pub fn with_algorithm(self, algorithm: Algorithm) -> Signer {
        Signer { algorithm, ..self }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = self.kid.clone();
        encode(&header, claims, &self.key).unwrap()
    }
}

pub fn ec(name: &str) -> Signer {
    let key = EncodingKey::from_ec_pem(&fs::read(data(&format!("{name}.pem"))).unwrap()).unwrap();
    Signer { key, algorithm: Algorithm::ES256, kid: Some(name.to_owned()) }
}

pub fn ed(name: &str) -> Signer {
    let key = EncodingKey::from_ed_pem(&fs::read(data(&format!("{name}.pem"))).unwrap()).unwrap();
    Signer { key, algorithm: Algorithm::EdDSA, kid: Some(name.to_owned()) }
}

pub fn rsa(name: &str) -> Signer {
    let key = EncodingKey::from_rsa_pem(&fs::read(data(&format!("{name}.pem"))).unwrap()).unwrap();
    Signer { key, algorithm: Algorithm::RS256, kid: Some(name.to_owned()) }
}

pub fn hs(secret: &str) -> Signer {
    let key = EncodingKey::from_secret(secret.as_bytes());
    Signer { key, algorithm: Algorithm::HS256, kid: None }
}

/// Signs any text, also what an honest library would not write.
pub fn hmac_signed(message: &str, secret: &[u8]) -> String {
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

pub fn claims() -> Value {
    json!({
        "iss": "accrue",
        "aud": "accrue",
        "sub": "till-7",
        "iat": now(),
        "exp": now() + 600,
        "scope": "points:earn members:read",
        "jti": "ignored",
    })
}

pub fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

pub fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

pub fn development_claims() -> TokenClaims {
    TokenClaims {
        issuer: "accrue".to_owned(),
        audience: "accrue".to_owned(),
        subject: "operator".to_owned(),
        member: None,
        scopes: Scopes::parse("points:earn members:read"),
        issued_at: SystemTime::now(),
        ttl: Duration::from_secs(600),
    }
}

pub fn development_authenticator(key: DevelopmentKey) -> Authenticator {
    let config = AuthConfig { development_key: Some(key), ..AuthConfig::default() };
    Authenticator::new(config).unwrap()
}

pub fn check(auth: &Authenticator, token: &str) -> Result<Arc<Caller>, AuthRefusal> {
    auth.authenticate(Some(format!("Bearer {token}").as_bytes()))
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn b64_json(value: &Value) -> String {
    b64(value.to_string().as_bytes())
}

pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/auth").join(name)
}

pub fn jwk(name: &str) -> Value {
    let text = fs::read(data(&format!("{name}.jwk.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

pub fn jwk_member(name: &str, member: &str) -> String {
    jwk(name)[member].as_str().unwrap().to_owned()
}

pub fn jwks(names: &[&str]) -> Value {
    json!({"keys": names.iter().map(|name| jwk(name)).collect::<Vec<_>>()})
}

/// Waits up to ten seconds for `probe` to give something.
pub fn eventually<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "it has not happened");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Times short enough for a test.
pub fn quick() -> RefreshTimes {
    RefreshTimes {
        file: Duration::from_millis(15),
        file_at_least: Duration::from_millis(5),
        url: Duration::from_secs(3600),
        url_retry: Duration::from_secs(3600),
        url_after_failure: Duration::from_secs(3600),
        url_at_least: Duration::from_millis(5),
        emptied: Duration::from_secs(3600),
    }
}

pub struct Setup {
    dir: TempDir,
    secret: Option<SecretString>,
    leeway: Duration,
}

impl Setup {
    pub fn new(keys: &[&str]) -> Setup {
        Self::of(jwks(keys))
    }

    pub fn of(document: Value) -> Setup {
        let setup = Setup { dir: TempDir::new(), secret: None, leeway: Duration::from_secs(30) };
        setup.write(&document.to_string());
        setup
    }

    pub fn secret(self, secret: &str) -> Setup {
        Setup { secret: Some(SecretString::from(secret)), ..self }
    }

    pub fn leeway(self, leeway: Duration) -> Setup {
        Setup { leeway, ..self }
    }

    pub fn file(&self) -> PathBuf {
        self.dir.path().join("jwks.json")
    }

    pub fn write(&self, document: &str) {
        fs::write(self.file(), document).unwrap();
    }

    pub fn config(&self) -> AuthConfig {
        AuthConfig {
            jwks_file: Some(self.file()),
            hs256_secret: self.secret.clone(),
            leeway: self.leeway,
            ..AuthConfig::default()
        }
    }

    pub fn build(&self) -> Authenticator {
        self.try_build().unwrap()
    }

    pub fn try_build(&self) -> Result<Authenticator, AuthSetupError> {
        Authenticator::with_refresh_times(self.config(), quick())
    }

    pub fn with_times(&self, times: RefreshTimes) -> Authenticator {
        Authenticator::with_refresh_times(self.config(), times).unwrap()
    }
}

pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        let path = std::env::temp_dir().join(format!("accrue-auth-{}", Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub struct JwksServer {
    server: MockServer,
    runtime: tokio::runtime::Runtime,
}

impl JwksServer {
    pub fn start() -> JwksServer {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(MockServer::start());
        JwksServer { server, runtime }
    }

    pub fn serve(&self, document: &Value) {
        self.answer(ResponseTemplate::new(200).set_body_json(document));
    }

    pub fn answer(&self, answer: impl Respond + 'static) {
        self.runtime.block_on(async {
            // A newer mock of a smaller priority number comes first; the number falls with every call.
            let mock = Mock::given(method("GET")).and(path("/jwks")).respond_with(answer);
            self.server.register(mock.with_priority(self.next_priority())).await;
        });
    }

    fn next_priority(&self) -> u8 {
        use std::sync::atomic::{AtomicU8, Ordering};
        static PRIORITY: AtomicU8 = AtomicU8::new(200);
        PRIORITY.fetch_sub(1, Ordering::Relaxed)
    }

    pub fn config(&self) -> AuthConfig {
        AuthConfig { jwks_url: Some(format!("{}/jwks", self.server.uri())), ..AuthConfig::default() }
    }

    pub fn requests(&self) -> usize {
        self.requests_to("/jwks")
    }

    pub fn requests_to(&self, path: &str) -> usize {
        let requests = self.runtime.block_on(self.server.received_requests()).unwrap();
        requests.iter().filter(|request| request.url.path() == path).count()
    }
}
