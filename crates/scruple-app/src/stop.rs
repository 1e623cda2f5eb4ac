//! How background tasks learn that they shall end: a `watch` channel whose value turns true, or whose sender is gone.

use tokio::sync::watch;

/// Waits until the value is true or nobody can set it any more.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone: whoever ran this has ended.
    let _ = stop.wait_for(|stop| *stop).await;
}
