//! The log's way to standard error: whoever writes to it neither waits nor fails.
//!
//! A pipe that nobody reads takes 64 KiB and then blocks its writer for ever; one whose reader has gone, or a full
//! disk, answers with errors. So one thread writes, from a queue that is bounded in bytes. What the queue cannot take or
//! the system does not write is lost, counted, and spoken of as soon as a line passes again. (`tracing-appender` does
//! the first half: it neither counts what the system does not write nor says that anything was lost.)

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

/// How many bytes wait to be written, at most.
const CAPACITY: usize = 1 << 20;

/// Where log lines go.
pub struct Log {
    queue: Sender<Item>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting_bytes: AtomicUsize,
    lost_lines: AtomicU64,
}

enum Item {
    Line(Vec<u8>),
    /// Whoever wants to know when all before it is written.
    Flush(Sender<()>),
}

/// The process's log, on standard error.
pub fn stderr() -> &'static Log {
    static STDERR: LazyLock<Log> = LazyLock::new(|| {
        // A descriptor of its own: a thread that is stuck in a write must not hold the lock of `io::stderr` for good.
        match io::stderr().as_fd().try_clone_to_owned() {
            Ok(descriptor) => Log::start(File::from(descriptor), speak_of_lost),
            Err(_) => Log::start(io::sink(), speak_of_lost),
        }
    });
    &STDERR
}

impl Log {
    /// A log on `sink`. Each time it can be written again after lines were lost, `speak` is told how many were lost
    /// since the start.
    pub fn start(sink: impl Write + Send + 'static, speak: impl Fn(u64) + Send + 'static) -> Self {
        let (queue, items) = mpsc::channel();
        let counts = Arc::new(Counts::default());
        let writer = Writer { sink, torn: false, spoken_of: 0, counts: Arc::clone(&counts) };
        // Without a thread the queue has no other end, and every line counts as lost. Nobody joins it: it may be stuck
        // in a write, and ends with the process.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&items, speak));
        Self { queue, counts }
    }

    /// Queues `line`, which ends with a line feed, or counts it as lost.
    pub fn line(&self, line: Vec<u8>) {
        let size = line.len();
        let waiting = self.counts.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        if waiting + size > CAPACITY || self.queue.send(Item::Line(line)).is_err() {
            self.counts.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
            self.counts.lost_lines.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were lost since the start.
    pub fn lost(&self) -> u64 {
        self.counts.lost_lines.load(Ordering::Relaxed)
    }

    /// Waits until all that is queued is written or lost, but no longer than `patience`; says whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        let (done, flushed) = mpsc::channel();
        self.queue.send(Item::Flush(done)).is_ok() && flushed.recv_timeout(patience).is_ok()
    }
}

/// What is written at once is a line, as tracing's formatters do it.
impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Writer<W> {
    sink: W,
    /// The last line was cut off in its midst.
    torn: bool,
    /// How many lost lines the log has spoken of.
    spoken_of: u64,
    counts: Arc<Counts>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, items: &Receiver<Item>, speak: impl Fn(u64)) {
        for item in items {
            match item {
                Item::Line(line) => {
                    let written = self.write(&line);
                    self.counts.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
                    self.count(written, &speak);
                }
                // Whoever has stopped waiting does not want to know any more.
                Item::Flush(done) => drop(done.send(())),
            }
        }
    }

    fn count(&mut self, written: io::Result<()>, speak: impl Fn(u64)) {
        if written.is_err() {
            self.counts.lost_lines.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let lost = self.counts.lost_lines.load(Ordering::Relaxed);
        if lost > self.spoken_of {
            self.spoken_of = lost;
            speak(lost);
        }
    }

    // Writes a whole line. One that was cut off before is ended first, so that it spoils no other.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.sink.write_all(b"\n")?;
            self.torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.torn = rest.len() < line.len();
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

// Through the log itself, so that it has the form that all lines have.
fn speak_of_lost(lines: u64) {
    tracing::warn!(lines, "log lines were lost since the start: standard error did not take them");
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A sink that does what it is told, a piece of `written` at a time, and then waits to be told again.
    struct Told {
        orders: Receiver<io::Result<usize>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let most = self.orders.recv().unwrap_or(Ok(usize::MAX))?;
            let piece = &bytes[..bytes.len().min(most)];
            self.written.lock().unwrap().extend(piece);
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A log on such a sink, and what is seen of it.
    struct Seen {
        log: Log,
        order: Option<Sender<io::Result<usize>>>,
        written: Arc<Mutex<Vec<u8>>>,
        spoken: Receiver<u64>,
    }

    impl Seen {
        fn start() -> Self {
            let (order, orders) = mpsc::channel();
            let (speak, spoken) = mpsc::channel();
            let written = Arc::new(Mutex::new(Vec::new()));
            let log = Log::start(Told { orders, written: Arc::clone(&written) }, move |lost| speak.send(lost).unwrap());
            Self { log, order: Some(order), written, spoken }
        }

        fn written(&self) -> String {
            String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_sink_that_stalls_holds_nobody_up_and_what_it_did_not_take_is_counted_and_spoken_of() {
        let mut seen = Seen::start();
        let line = "x".repeat(1_023) + "\n";
        for _ in 0..CAPACITY / line.len() + 7 {
            seen.log.line(line.clone().into_bytes());
        }
        assert_eq!(seen.log.lost(), 7, "the queue is full, and nobody waited");
        assert!(!seen.log.flush(Duration::from_millis(1)), "the sink still stalls");
        drop(seen.order.take());
        assert_eq!(seen.spoken.recv_timeout(PATIENCE), Ok(7));
        assert!(seen.log.flush(PATIENCE));
        assert_eq!(seen.written().len(), CAPACITY);
        seen.log.line(b"as before\n".to_vec());
        assert!(seen.log.flush(PATIENCE));
        assert_eq!((seen.log.lost(), seen.spoken.try_iter().count()), (7, 0), "said once");
    }

    #[test]
    fn what_was_lost_takes_no_room_from_what_comes_later() {
        let mut seen = Seen::start();
        let line = "x".repeat(1_023) + "\n";
        // As much as fits, and as much again that does not.
        for _ in 0..2 * CAPACITY / line.len() {
            seen.log.line(line.clone().into_bytes());
        }
        let lost = seen.log.lost();
        drop(seen.order.take());
        assert!(seen.log.flush(PATIENCE));
        seen.log.line(b"later\n".to_vec());
        assert!(seen.log.flush(PATIENCE));
        assert!(seen.log.lost() == lost && seen.written().ends_with("\nlater\n"));
    }

    #[test]
    fn a_write_that_was_interrupted_is_tried_again_and_one_of_nothing_fails() {
        let seen = Seen::start();
        for told in [Err(io::ErrorKind::Interrupted.into()), Ok(usize::MAX), Ok(0), Ok(usize::MAX)] {
            seen.order.as_ref().unwrap().send(told).unwrap();
        }
        for line in ["one\n", "lost\n", "two\n"] {
            seen.log.line(line.as_bytes().to_vec());
        }
        assert!(seen.log.flush(PATIENCE));
        assert_eq!((seen.written().as_str(), seen.log.lost()), ("one\ntwo\n", 1));
    }

    #[test]
    fn a_sink_that_fails_loses_the_line_alone_and_one_cut_off_spoils_no_other() {
        let seen = Seen::start();
        let failed = || Err(io::ErrorKind::StorageFull.into());
        for told in [failed(), Ok(3), failed(), failed(), Ok(1), Ok(usize::MAX), Ok(usize::MAX)] {
            seen.order.as_ref().unwrap().send(told).unwrap();
        }
        for line in ["lost\n", "cut off\n", "lost as well\n", "one\n", "two\n"] {
            (&seen.log).write_all(line.as_bytes()).unwrap();
        }
        assert!(seen.log.flush(PATIENCE));
        assert_eq!(seen.written(), "cut\none\ntwo\n");
        assert_eq!((seen.log.lost(), seen.spoken.try_iter().collect::<Vec<_>>()), (3, vec![3]));
    }
}
