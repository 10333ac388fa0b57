//! A connection to the service of which a test sends every byte.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Answer;

/// An open connection.
pub struct Raw(TcpStream);

impl Raw {
    /// Connects.
    pub fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the service listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("it can be set");
        stream.set_write_timeout(Some(Duration::from_secs(1))).expect("it can be set");
        Self(stream)
    }

    /// Sends `bytes`. Says no when the other side has closed the connection; it may also take nothing for a while.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        match self.0.write_all(bytes) {
            Ok(()) => true,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    /// Reads an answer whose body has a length, as a caller would.
    pub fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head is text");
        let (status_line, lines) = head.split_once("\r\n").expect("a line of status");
        let headers: BTreeMap<String, String> = lines
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut body = vec![0; headers["content-length"].parse().expect("a length")];
        self.0.read_exact(&mut body).expect("a body");
        let text = String::from_utf8(body).expect("a body is text");
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// Reads up to `most` bytes.
    pub fn some(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; most];
        let read = self.0.read(&mut bytes).unwrap_or_default();
        bytes.truncate(read);
        bytes
    }

    /// Reads until the other side has closed the connection. Panics if it does not within a minute.
    pub fn closed(&mut self) {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.0.read(&mut bytes) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the connection is not closed: {error}"),
            }
        }
    }
}
