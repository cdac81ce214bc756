//! What runs beside requests: policies and gateways looked after and sums of the trail once a second, dates of last use once a minute. Never: anything that a request
//! waits for.

use std::sync::Arc;
use std::time::Duration;

use indelible_access::door::Reload;
use indelible_event::build::EventBuilder;
use indelible_event::words::{Action, ActorType, OutcomeResult};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::count;
use crate::app::{App, asked_to_stop};
use crate::gateways::keep_mark;
use crate::trail::published_reads::All;
use crate::trail::refusals::WINDOW_MIN;
use crate::trail::{OWN_SOURCE_ID, bounded};

/// How often policies and gateways are looked after.
const EACH_SECOND: Duration = Duration::from_secs(1);
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
            app.trail.empty_reserve().await;
            window = app.refusals.flush(&app.trail, &app.logs, window).await;
            app.published_reads.flush(&app.trail, &app.logs, All::No).await;
            if since_used >= USED_EVERY {
                since_used = Duration::ZERO;
                save_used(&app).await;
            }
        }
    })
}

/// Looks at policies, writes what is used of budgets and how far gateways are, once a second until the server stops. Apart from
/// the sums, which are made less often while many requests are refused.
pub(crate) fn start_each_second(app: &Arc<App>, mut stopping: watch::Receiver<bool>) -> JoinHandle<()> {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let mut mark = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(EACH_SECOND) => {}
                () = asked_to_stop(&mut stopping) => return,
            }
            look_at_policies(&app).await;
            keep_mark(&app, &mut mark).await;
            app.gateways.say_alive(app.config.gateway.heartbeat.duration()).await;
        }
    })
}

/// The last sums, when no request comes any more.
pub(crate) async fn finish(app: &Arc<App>) {
    app.trail.empty_reserve().await;
    app.refusals.flush(&app.trail, &app.logs, WINDOW_MIN).await;
    app.published_reads.flush(&app.trail, &app.logs, All::Yes).await;
    keep_mark(app, &mut None).await;
    if let Err(error) = app.door.save_budgets() {
        tracing::warn!(%error, "what is used of the budgets could not be written");
    }
    save_used(app).await;
}

/// Takes policies that have changed, and writes what is used of budgets. Broken policies are told, and on record; the old ones
/// stay in force.
async fn look_at_policies(app: &Arc<App>) {
    let door = Arc::clone(&app.door);
    let looked = tokio::task::spawn_blocking(move || (door.reload_if_changed(), door.save_budgets())).await;
    let (reload, saved) = match looked {
        Ok(looked) => looked,
        Err(error) => return tracing::error!(%error, "policies could not be looked at"),
    };
    if let Err(error) = saved {
        tracing::warn!(%error, "what is used of the budgets could not be written; it is tried again");
    }
    let now = app.trail.now();
    let event = EventBuilder::new(now, Action::Configure, "policy.reload", ActorType::System, OWN_SOURCE_ID);
    let event = match &reload {
        Reload::Unchanged => return,
        Reload::Loaded { policies, files } => {
            tracing::info!(policies, files, "policies were read again");
            event.attribute("policies", count(*policies as u64)).attribute("files", count(*files as u64))
        }
        Reload::Refused(error) => {
            app.metrics.policy_failures.inc();
            tracing::error!(%error, "the changed policies are wrong; the old ones stay in force");
            event.result(OutcomeResult::Failed).attribute("reason", bounded(&error.to_string()))
        }
    };
    if let Err(problem) = app.trail.record(app.logs.first(), event).await {
        tracing::error!(cause = problem.cause(), "a change of policies could not be recorded");
    }
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
