//! The words after the command. Not a parser of arguments in general: `--name value`, `--flag`, positions, and what
//! stands after `--`.

use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// The words that no option has taken yet.
pub struct Args {
    words: Vec<String>,
    after: Vec<String>,
}

impl Args {
    pub fn new(words: impl Iterator<Item = String>) -> Self {
        let mut words: Vec<String> = words.collect();
        let after = match words.iter().position(|w| w == "--") {
            Some(at) => words.drain(at..).skip(1).collect(),
            None => Vec::new(),
        };
        Self { words, after }
    }

    pub fn asks_for_help(&mut self) -> bool {
        self.flag("--help") || self.flag("-h")
    }

    /// Whether `name` stands there.
    pub fn flag(&mut self, name: &str) -> bool {
        let found = self.words.iter().position(|w| w == name);
        if let Some(at) = found {
            self.words.remove(at);
        }
        found.is_some()
    }

    /// The value of `name VALUE` or `name=VALUE`.
    pub fn value<T>(&mut self, name: &str) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).with_context(|| format!("`{text}` is no value of {name}"))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        let joined = format!("{name}=");
        let Some(at) = self.words.iter().position(|w| w == name || w.starts_with(&joined)) else { return Ok(None) };
        let word = self.words.remove(at);
        if let Some(value) = word.strip_prefix(&joined) {
            return Ok(Some(value.to_owned()));
        }
        if at >= self.words.len() {
            bail!("{name} needs a value");
        }
        Ok(Some(self.words.remove(at)))
    }

    /// The next word that is no option.
    pub fn position(&mut self) -> Option<String> {
        let at = self.words.iter().position(|w| !w.starts_with('-'))?;
        Some(self.words.remove(at))
    }

    /// What stands after `--`; an error if any word is left over.
    pub fn finish(self) -> Result<Vec<String>> {
        match self.words.first() {
            Some(word) => bail!("unknown argument `{word}`; --help tells what there is"),
            None => Ok(self.after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn args(text: &str) -> Args {
        Args::new(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_positions_and_the_rest_are_told_apart() {
        let mut a = args("crash --seed 7 --minutes=3 --dry -- -p x --seed 9");
        assert_eq!(a.value::<u64>("--seed").unwrap(), Some(7));
        assert_eq!(a.value::<u64>("--minutes").unwrap(), Some(3));
        assert_eq!(a.value::<u64>("--cases").unwrap(), None);
        assert!(a.flag("--dry"));
        assert_eq!(a.position().as_deref(), Some("crash"));
        assert_eq!(a.finish().unwrap(), ["-p", "x", "--seed", "9"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(args("--seed").value::<u64>("--seed").is_err());
        assert!(args("--seed x").value::<u64>("--seed").is_err());
        assert!(args("--sed 1").finish().is_err());
    }
}
