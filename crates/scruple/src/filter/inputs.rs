//! The inputs: which files, in which order, and how each is opened, twice if need be.

use anyhow::{Context as _, Result, bail};
use flate2::read::MultiGzDecoder;
use scruple_release::{Input, Spool};
use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 18;

/// The input files.
#[derive(Debug, Default)]
pub struct Inputs {
    /// In the order of their paths: ordinals do not depend on the file system.
    pub paths: Vec<PathBuf>,
    /// Files of a folder that are of another kind and not read.
    pub others: u64,
}

/// Finds the inputs.
///
/// # Errors
/// There are none, or they cannot be read.
pub fn find(path: &Path) -> Result<Inputs> {
    let one = || Inputs { paths: vec![path.to_owned()], others: 0 };
    if path == Path::new("-") {
        return Ok(one());
    }
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if !metadata.is_dir() {
        return Ok(one());
    }
    let mut found = Inputs::default();
    walk(path, &mut found).with_context(|| format!("cannot read folder `{}`", path.display()))?;
    found.paths.sort();
    if found.paths.is_empty() {
        bail!("folder `{}` holds no .json, .ndjson or .jsonl file, with or without .gz", path.display());
    }
    Ok(found)
}

fn walk(dir: &Path, found: &mut Inputs) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(&path, found)?;
        } else if matches!(ending(&path).0.as_str(), "json" | "ndjson" | "jsonl") {
            found.paths.push(path);
        } else {
            found.others += 1;
        }
    }
    Ok(())
}

/// What a file's name says of it: its ending in lower case, and whether it is packed.
pub fn ending(path: &Path) -> (String, bool) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    let (name, packed) = name.strip_suffix(".gz").map_or((name.as_str(), false), |name| (name, true));
    (name.rsplit_once('.').map_or("", |(_, ending)| ending).to_owned(), packed)
}

/// Makes them ready to be opened. What can be read once only (standard input, a pipe) is kept, sealed, for a second pass:
/// when it is first opened, so that a refusal does not wait for it.
pub fn open(paths: &[PathBuf]) -> Vec<Input> {
    let one = |path: &PathBuf| {
        let lines = matches!(ending(path).0.as_str(), "ndjson" | "jsonl");
        let path = path.clone();
        if path != Path::new("-") && std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            return Input { lines, open: Box::new(move || unpacked(File::open(&path)?)) };
        }
        let kept = OnceCell::new();
        Input {
            lines,
            open: Box::new(move || {
                let spool: &Spool = match kept.get() {
                    Some(spool) => spool,
                    None => {
                        let spool = keep(&path)?;
                        kept.get_or_init(|| spool)
                    }
                };
                Ok(Box::new(spool.open()?))
            }),
        }
    };
    paths.iter().map(one).collect()
}

fn keep(path: &Path) -> io::Result<Spool> {
    let dir = std::env::temp_dir();
    if path == Path::new("-") {
        Spool::copy(unpacked(io::stdin().lock())?, &dir)
    } else {
        Spool::copy(unpacked(File::open(path)?)?, &dir)
    }
}

/// Unpacks gzip by its first two bytes.
fn unpacked<'a>(from: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut from = BufReader::with_capacity(READ_BYTES, from);
    let mut head = [0; 2];
    let mut read = 0;
    while let Some(rest) = head.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let packed = head == [0x1f, 0x8b];
    let from = io::Cursor::new(head).take(read as u64).chain(from);
    Ok(if packed { Box::new(Unpacker(MultiGzDecoder::new(from))) } else { Box::new(from) })
}

/// A decoder whose errors say what they are about.
struct Unpacker<R>(R);

impl<R: Read> Read for Unpacker<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "gzip data are cut off"),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                io::Error::new(error.kind(), "gzip data are damaged")
            }
            _ => error,
        })
    }
}
