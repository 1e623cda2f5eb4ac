//! What stands between a node and its database, and can be cut.

use anyhow::{Context as _, Result};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the relay treats connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Bytes pass.
    Open,
    /// Connections are closed, and new ones refused.
    Cut,
    /// Bytes stand still.
    Hung,
}

/// A relay to a database.
pub struct Relay {
    state: watch::Sender<State>,
    database: String,
}

impl Relay {
    /// Starts it before the database of an address.
    ///
    /// # Errors
    /// The address names no host and port, or nothing can be listened on.
    pub async fn start(database: &str) -> Result<Self> {
        let (head, rest) = database.split_once('@').context("the address has no host")?;
        let (to, name) = rest.split_once('/').context("the address has no database")?;
        let to: Arc<str> = if to.contains(':') { to.into() } else { format!("{to}:5432").into() };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (state, _) = watch::channel(State::Open);
        let told = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, Arc::clone(&to), told.subscribe()));
            }
        });
        Ok(Self { state, database: format!("{head}@127.0.0.1:{port}/{name}") })
    }

    /// The database's address through it.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Treats connections so from now on.
    pub fn is(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn pass(mut from: TcpStream, to: Arc<str>, mut state: watch::Receiver<State>) {
    let now = *state.borrow_and_update();
    if now == State::Open {
        let Ok(mut to) = TcpStream::connect(&*to).await else { return };
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut from, &mut to) => return,
            _ = state.changed() => {}
        }
    }
    // What was under way may be half written: the connection does not come back.
    let _ = state.wait_for(|state| *state != State::Hung).await;
}
