//! A stream that must be read twice, kept in a temporary file under a key that lives only in memory.

use scruple_seal::{Envelope, FileKey, FreshKey, OpeningKey, Place, Sealer, SystemRng, WrappedKey};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes of one sealed block.
const BLOCK_BYTES: usize = 1 << 20;

/// A sealed copy of a stream. The file has no name once it is made: it goes with the process.
// INVARIANT (no-PHI-aside): no clear byte of the stream reaches the disk.
#[derive(Clone, Debug)]
pub struct Spool {
    file: Arc<File>,
    key: Arc<OpeningKey>,
}

fn refused(_: scruple_seal::SealError) -> io::Error {
    io::Error::other("the spool cannot be sealed or opened")
}

impl Spool {
    /// Copies `from` into a file in `dir`.
    ///
    /// # Errors
    /// Reading or writing fails.
    pub fn copy(mut from: impl Read, dir: &Path) -> io::Result<Self> {
        let mut rng = SystemRng;
        let fresh = FreshKey::generate(0, 0, &mut rng);
        let kek = FileKey::generate(&mut rng);
        let key = WrappedKey::wrap(&kek, &fresh, &mut rng).and_then(|wrapped| wrapped.unwrap(&kek)).map_err(refused)?;
        let mut sealer: Sealer = fresh.into_sealer().map_err(refused)?;
        let mut file = BufWriter::new(tempfile::tempfile_in(dir)?);
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        for index in 0.. {
            block.clear();
            from.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
            if block.is_empty() {
                break;
            }
            let mut sealed = Vec::with_capacity(block.len() + 64);
            sealer.seal(Place { shard: 0, index }, b"", &block, &mut sealed).map_err(refused)?;
            let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
            file.write_all(&length.to_be_bytes())?;
            file.write_all(&sealed)?;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Self { file: Arc::new(file), key: Arc::new(key) })
    }

    /// Reads it from the beginning. One reader at a time.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(&self) -> io::Result<impl Read + Send + use<>> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(SpoolReader { file: BufReader::new(file), key: Arc::clone(&self.key), block: Vec::new(), at: 0, index: 0 })
    }
}

struct SpoolReader {
    file: BufReader<File>,
    key: Arc<OpeningKey>,
    block: Vec<u8>,
    at: usize,
    index: u64,
}

impl Read for SpoolReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            let mut length = [0; 4];
            match self.file.read_exact(&mut length) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => result?,
            }
            let mut sealed = vec![0; u32::from_be_bytes(length) as usize];
            self.file.read_exact(&mut sealed)?;
            let place = Place { shard: 0, index: self.index };
            let envelope = Envelope::parse(&sealed).map_err(refused)?;
            self.block = self.key.open(place, &envelope).map_err(refused)?;
            self.at = 0;
            self.index += 1;
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            into.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_reads_back_twice_and_holds_nothing_in_clear() {
        let dir = tempfile::tempdir().unwrap();
        let text = b"CANARY-7f3a and so on ".repeat(100_000);
        let spool = Spool::copy(text.as_slice(), dir.path()).unwrap();
        for _ in 0..2 {
            let mut back = Vec::new();
            spool.open().unwrap().read_to_end(&mut back).unwrap();
            assert!(back == text);
        }
        let mut raw = Vec::new();
        let mut file = spool.file.try_clone().unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut raw).unwrap();
        assert!(raw.len() > text.len());
        assert!(!raw.windows(11).any(|window| window == b"CANARY-7f3a"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }
}
