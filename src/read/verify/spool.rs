//! What was read, sorted into parts that fit into memory one at a time. What does not fit meanwhile lies in a file
//! without a name, in the folder for temporary files (`TMPDIR`).

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Parts under way, of one thread.
#[derive(Debug)]
pub struct Spool {
    parts: Vec<Part>,
    /// How many bytes are in the buffers, and how many may be.
    held: usize,
    most: usize,
    file: Option<File>,
    written: u64,
}

#[derive(Debug, Default)]
struct Part {
    buffer: Vec<u8>,
    /// Places in the file, and how many bytes stand there.
    written: Vec<(u64, usize)>,
}

impl Spool {
    /// A spool of so many parts that keeps `most` bytes in memory, in room for twice as many at the most.
    pub fn new(parts: usize, most: usize) -> Self {
        Self { parts: (0..parts).map(|_| Part::default()).collect(), held: 0, most, file: None, written: 0 }
    }

    /// How many parts it has.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Appends to a part what `write` appends. It comes back as one piece.
    pub fn put(&mut self, part: usize, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let buffer = &mut self.parts[part].buffer;
        let start = buffer.len();
        buffer.extend_from_slice(&[0; LENGTH]);
        write(buffer);
        let length = u32::try_from(buffer.len() - start - LENGTH).map_err(io::Error::other)?;
        buffer[start..start + LENGTH].copy_from_slice(&length.to_ne_bytes());
        self.held += buffer.len() - start;
        if self.held > self.most { self.write_out() } else { Ok(()) }
    }

    /// Appends all of a part to `out`. For [`pieces`].
    pub fn read(&self, part: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let Part { buffer, written } = &self.parts[part];
        for (place, length) in written {
            let start = out.len();
            out.resize(start + length, 0);
            let file = self.file.as_ref().ok_or_else(|| io::Error::other("there is no file"))?;
            file.read_exact_at(&mut out[start..], *place)?;
        }
        out.extend_from_slice(buffer);
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(unnamed()?),
        };
        for part in self.parts.iter_mut().filter(|part| !part.buffer.is_empty()) {
            file.write_all(&part.buffer)?;
            part.written.push((self.written, part.buffer.len()));
            self.written += part.buffer.len() as u64;
            // Its room is kept, since as much comes again.
            part.buffer.clear();
        }
        self.held = 0;
        Ok(())
    }
}

/// The pieces that stand in what [`Spool::read`] gave.
pub fn pieces(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk()?;
        let (piece, behind) = behind.split_at_checked(u32::from_ne_bytes(*length) as usize)?;
        rest = behind;
        Some(piece)
    })
}

const LENGTH: usize = size_of::<u32>();

// A file that is gone with whoever has it open.
fn unnamed() -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("accrue-verify-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = env::temp_dir().join(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_to_a_file_comes_back_in_order() {
        for most in [0, 40, 1 << 20] {
            let mut spool = Spool::new(3, most);
            for n in 0..100_u8 {
                spool.put(usize::from(n % 3), |out| out.extend(vec![n; usize::from(n)])).unwrap();
            }
            for part in 0..3 {
                let mut all = Vec::new();
                spool.read(part, &mut all).unwrap();
                let expected: Vec<Vec<u8>> =
                    (0..100_u8).filter(|n| usize::from(n % 3) == part).map(|n| vec![n; usize::from(n)]).collect();
                assert_eq!(pieces(&all).map(<[u8]>::to_vec).collect::<Vec<_>>(), expected);
            }
        }
    }
}
