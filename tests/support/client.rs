//! A client that shows status, headers and body of every answer.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use accrue::http::code::Code;
use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use super::contract;

/// A client with one token.
#[derive(Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    agent: Agent,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; null if it is not JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Panics unless it is a whole problem document with this status and code, as the table of problems has them.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        let known = Code::all().into_iter().find(|known| known.name() == code);
        let known = known.unwrap_or_else(|| panic!("{code} is no code"));
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.body["type"], format!("urn:accrue:problem:{code}"), "{self:?}");
        assert_eq!(
            (self.body["title"].as_str(), self.body["status"].as_u64()),
            (Some(known.title()), Some(u64::from(known.status())))
        );
        assert!(self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{self:?}");
    }

    /// The faults that a problem lists: path and code, in order.
    pub fn faults(&self) -> Vec<(&str, &str)> {
        let text = |fault: &'_ Value, key: &str| fault[key].as_str().map(str::len).unwrap_or_default();
        let faults = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(faults.iter().all(|fault| text(fault, "message") > 0), "{self:?}");
        faults.iter().map(|fault| (fault["path"].as_str().unwrap(), fault["code"].as_str().unwrap())).collect()
    }

    /// Was it given before?
    pub fn replayed(&self) -> bool {
        self.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
    }
}

impl Client {
    /// A client of the service at `base`.
    pub fn new(base: String, token: Option<String>) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_redirects(0)
            .build();
        Self { base, token, agent: agent.into() }
    }

    /// `GET`
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    /// `POST` with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(&body.to_string()))
    }

    /// `POST` with a JSON body and an idempotency key.
    pub fn post_keyed(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("idempotency-key", key)], Some(&body.to_string()))
    }

    /// `POST` with a JSON body and a new idempotency key.
    pub fn ask(&self, path: &str, body: &Value) -> Answer {
        self.post_keyed(path, &uuid::Uuid::now_v7().to_string(), body)
    }

    /// `PATCH` with a JSON body and an idempotency key.
    pub fn patch(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[("idempotency-key", key)], Some(&body.to_string()))
    }

    /// Any request. A body is sent as `application/json` unless the headers say otherwise.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// As [`Self::send`], for a service that may be away.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            Some(body) => self.agent.run(request.body(body.to_owned())?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let answer = answer(response)?;
        contract::hold(method, path, &answer);
        Ok(answer)
    }
}

fn answer(mut response: Response<Body>) -> Result<Answer, ureq::Error> {
    let headers = response.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let (status, headers) = (response.status().as_u16(), headers.collect());
    let bytes = response.body_mut().with_config().limit(1 << 30).read_to_vec()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text })
}

/// Asks `n` times at once, over as many connections.
pub fn at_once<T: Send>(n: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (ready, ask) = (&Barrier::new(n), &ask);
    thread::scope(|scope| {
        let asking = |n| {
            scope.spawn(move || {
                ready.wait();
                ask(n)
            })
        };
        let threads: Vec<_> = (0..n).map(asking).collect();
        threads.into_iter().map(|thread| thread.join().expect("everyone is answered")).collect()
    })
}
