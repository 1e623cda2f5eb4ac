//! Where released bytes go: standard output, a file, or a folder with a file for each input.
//!
//! Files stand under the name `.partial` until all went well, so that no half file looks whole. What the output needs is
//! made before anything is recorded: a release into a folder that is not there is refused and not recorded.

use super::inputs::ending;
use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use scruple_release::{Output, Released};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IntoInnerError, Stdout, Write};
use std::path::{Path, PathBuf};

/// Where the output goes.
enum To {
    Stdout,
    File(PathBuf),
    /// A file for each input, named by its ordinal.
    Folder(PathBuf),
}

/// The way into one file.
enum Sink {
    Stdout(BufWriter<Stdout>),
    Plain(BufWriter<File>),
    Packed(GzEncoder<BufWriter<File>>),
}

impl Sink {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(writer) => writer.write_all(bytes),
            Self::Plain(writer) => writer.write_all(bytes),
            Self::Packed(writer) => writer.write_all(bytes),
        }
    }

    /// Writes what is still held back. A writer that is only dropped would hide that it could not.
    fn finish(self) -> io::Result<()> {
        let file = |writer: BufWriter<File>| writer.into_inner().map(drop).map_err(IntoInnerError::into_error);
        match self {
            Self::Stdout(mut writer) => writer.flush(),
            Self::Plain(writer) => file(writer),
            Self::Packed(writer) => writer.finish().and_then(file),
        }
    }
}

/// A file under its temporary name.
struct Partial {
    partial: PathBuf,
    path: PathBuf,
    is_empty: bool,
}

/// The output of a run.
pub struct FileOutput {
    to: To,
    /// Endings of the inputs: `json` or `ndjson`, and packed or not.
    endings: Vec<(String, bool)>,
    current: Option<(u64, Sink)>,
    made: Vec<Partial>,
}

/// Whether a path, which need not be there yet, is a folder or below it.
fn is_inside(path: &Path, folder: &Path) -> bool {
    let there = path.ancestors().find_map(|ancestor| {
        let ancestor = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
        ancestor.canonicalize().ok()
    });
    there.zip(folder.canonicalize().ok()).is_some_and(|(there, folder)| there.starts_with(folder))
}

/// Makes the output ready.
///
/// # Errors
/// It is there already, or cannot be written.
pub fn prepare(path: &Path, input: &Path, inputs: &[PathBuf]) -> Result<FileOutput> {
    let own = |path: &Path| {
        let (ending, packed) = ending(path);
        (if ending == "json" { "json".to_owned() } else { "ndjson".to_owned() }, packed)
    };
    if path == Path::new("-") {
        return Ok(FileOutput { to: To::Stdout, endings: Vec::new(), current: None, made: Vec::new() });
    }
    if input.is_dir() {
        let endings = inputs.iter().map(|path| own(path)).collect();
        let output = FileOutput { to: To::Folder(path.to_owned()), endings, current: None, made: Vec::new() };
        if is_inside(path, input) {
            bail!(
                "output `{}` is inside the input; the next run would read it again: name another folder",
                path.display()
            );
        }
        if path.exists() && !path.is_dir() {
            bail!("output `{}` is a file, and the input is a folder; name a folder", path.display());
        }
        if std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("output folder `{}` is not empty; give an empty or a new one", path.display());
        }
        std::fs::create_dir_all(path).with_context(|| format!("cannot make folder `{}`", path.display()))?;
        let probe = path.join(".partial");
        let probed = File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe));
        probed.with_context(|| format!("cannot write to folder `{}`", path.display()))?;
        return Ok(output);
    }
    if path.is_dir() {
        bail!("output `{}` is a folder, and the input is a file; name a file in it", path.display());
    }
    if path.symlink_metadata().is_ok() {
        bail!("output `{}` is there already; remove it or name another", path.display());
    }
    let partial = partial_name(path);
    if partial.symlink_metadata().is_ok() {
        bail!("`{}` is left from a run that stopped; remove it or name another output", partial.display());
    }
    let mut output =
        FileOutput { to: To::File(path.to_owned()), endings: vec![own(path)], current: None, made: Vec::new() };
    let sink = output.open(1).with_context(|| format!("cannot write `{}`", path.display()))?;
    output.current = Some((1, sink));
    Ok(output)
}

fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".partial");
    name.into()
}

impl FileOutput {
    fn open(&mut self, input: u64) -> io::Result<Sink> {
        let index = usize::try_from(input - 1).unwrap_or(usize::MAX);
        let (path, packed) = match &self.to {
            To::Stdout => return Ok(Sink::Stdout(BufWriter::new(io::stdout()))),
            To::File(path) => (path.clone(), self.endings.first().is_some_and(|(_, packed)| *packed)),
            To::Folder(dir) => {
                let (ending, packed) = self.endings.get(index).cloned().unwrap_or_default();
                let gz = if packed { ".gz" } else { "" };
                (dir.join(format!("{input:06}.{ending}{gz}")), packed)
            }
        };
        let partial = partial_name(&path);
        let file = BufWriter::new(OpenOptions::new().write(true).create_new(true).open(&partial)?);
        self.made.push(Partial { partial, path, is_empty: true });
        Ok(if packed { Sink::Packed(GzEncoder::new(file, Compression::default())) } else { Sink::Plain(file) })
    }

    fn close_current(&mut self) -> io::Result<()> {
        self.current.take().map_or(Ok(()), |(_, sink)| sink.finish())
    }

    /// After a run that failed: what was written keeps the name `.partial`. Says where it stands.
    pub fn abandon(mut self) -> Option<String> {
        // The run has failed already, and says why.
        let _ = self.close_current();
        let left = self.made.iter().find(|made| !made.is_empty)?;
        Some(match &self.to {
            To::Stdout => return None,
            To::File(_) => format!("`{}`", left.partial.display()),
            To::Folder(dir) => format!("the files `.partial` in `{}`", dir.display()),
        })
    }
}

impl Drop for FileOutput {
    fn drop(&mut self) {
        self.current = None;
        for made in self.made.iter().filter(|made| made.is_empty) {
            // An empty file that stays behind harms nobody.
            let _ = std::fs::remove_file(&made.partial);
        }
    }
}

impl Output for FileOutput {
    fn write(&mut self, input: u64, released: &Released) -> io::Result<()> {
        let one = matches!(self.to, To::Stdout | To::File(_));
        let is_open = self.current.as_ref().is_some_and(|(current, _)| one || *current == input);
        if !is_open {
            self.close_current()?;
            self.current = Some((input, self.open(input)?));
        }
        if let Some(made) = self.made.last_mut() {
            made.is_empty = false;
        }
        match &mut self.current {
            Some((_, sink)) => sink.write_all(released.bytes()),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.close_current()?;
        while let Some(made) = self.made.pop_if(|made| !made.is_empty) {
            // A name that appeared meanwhile is not written over.
            if made.path.symlink_metadata().is_ok() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file of this name appeared meanwhile"));
            }
            std::fs::rename(&made.partial, &made.path)?;
        }
        Ok(())
    }
}
