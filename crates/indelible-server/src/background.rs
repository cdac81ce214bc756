//! What runs beside requests: sums of the trail once a second, dates of last use once a minute. Never: anything that a request
//! waits for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, asked_to_stop};
use crate::trail::published_reads::All;
use crate::trail::refusals::WINDOW_MIN;

/// How often dates of last use are written.
const USED_EVERY: Duration = Duration::from_secs(60);

/// Starts the sums; they end when `stopping` becomes true.
pub(crate) fn start(app: &Arc<App>, mut stopping: watch::Receiver<bool>) -> JoinHandle<()> {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let mut window = WINDOW_MIN;
        let mut since_used = Duration::ZERO;
        loop {
            tokio::select! {
                () = tokio::time::sleep(window) => {}
                () = asked_to_stop(&mut stopping) => return,
            }
            since_used += window;
            app.trail.empty_reserve(&app.logs).await;
            window = app.refusals.flush(&app.trail, &app.logs, window).await;
            app.published_reads.flush(&app.trail, &app.logs, All::No).await;
            if since_used >= USED_EVERY {
                since_used = Duration::ZERO;
                save_used(&app).await;
            }
        }
    })
}

/// The last sums, when no request comes any more.
pub(crate) async fn finish(app: &Arc<App>) {
    app.trail.empty_reserve(&app.logs).await;
    app.refusals.flush(&app.trail, &app.logs, WINDOW_MIN).await;
    app.published_reads.flush(&app.trail, &app.logs, All::Yes).await;
    save_used(app).await;
}

async fn save_used(app: &Arc<App>) {
    let app = Arc::clone(app);
    let saved = tokio::task::spawn_blocking(move || app.tokens.save_used()).await;
    match saved {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "dates of last use could not be written"),
        Err(error) => tracing::warn!(%error, "dates of last use could not be written"),
    }
}
