//! A gateway as a child process, from the side of its parent.

use super::role::{Command, Order, ROLE, Ready};
use crate::bench::processes::on_core;
use anyhow::{Context as _, Result, bail, ensure};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A running gateway. It gets SIGKILL when it is dropped.
pub struct Node {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: SocketAddr,
    /// A token for each of the people, in their order.
    pub tokens: Vec<String>,
}

impl Node {
    /// Starts it, on this core if one is given. `program` is one of this crate's.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Path, core: Option<usize>, order: &Order) -> Result<Self> {
        let mut command = on_core(core, program);
        let mut process = command.arg(ROLE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut input = process.stdin.take().context("no standard input")?;
        let mut output = BufReader::new(process.stdout.take().context("no standard output")?);
        writeln!(input, "{}", serde_json::to_string(order)?)?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        match serde_json::from_str::<Ready>(&line) {
            Ok(Ready { address, tokens }) => Ok(Self { process, input: Some(input), output, address, tokens }),
            Err(_) => {
                let _ = process.kill();
                bail!("the gateway does not start: {}", process.wait()?)
            }
        }
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells it something, and waits until it is done.
    ///
    /// # Errors
    /// It is gone, or does not do it.
    pub fn tell(&mut self, command: &Command) -> Result<()> {
        let input = self.input.as_mut().context("it is stopping")?;
        writeln!(input, "{}", serde_json::to_string(command)?)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(
            line.trim() == "ok",
            "{command:?}: {}",
            if line.is_empty() { "the gateway is gone" } else { line.trim() }
        );
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// The system does not do it.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Lets it come to its end.
    ///
    /// # Errors
    /// It ends otherwise.
    pub fn stop(mut self) -> Result<()> {
        drop(self.input.take());
        let status = self.process.wait()?;
        ensure!(status.success(), "the gateway ends with {status}");
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
