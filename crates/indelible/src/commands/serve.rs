//! `indelible serve`: configuration, banner, server, and on wish the demo traffic.

use std::io::Write;

use indelible_access::token::TokenText;
use indelible_server::config::{ConfigOverrides, load};
use indelible_server::{Ready, ServeOptions, run as serve, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::ServeArguments;
use crate::exit::{CliError, Exit};

use super::config::{variables, wrong};
use super::demo::{self, Demo};
use super::proven;

pub(crate) fn run(arguments: &ServeArguments) -> Result<Exit, CliError> {
    let overrides = ConfigOverrides {
        file: arguments.config.clone(),
        listen: arguments.listen.clone(),
        data: arguments.data.clone(),
        public_url: arguments.public_url.clone(),
        log_level: arguments.log_level.clone(),
        ..ConfigOverrides::default()
    };
    let mut loaded = load(&overrides, variables()).map_err(|error| wrong(&error))?;
    if arguments.demo {
        demo::mount(&mut loaded.config)?;
    }
    telemetry::init(&loaded.config.telemetry);
    let chosen = std::env::var("INDELIBLE_ADMIN_TOKEN").ok().filter(|token| !token.is_empty());
    let admin_token =
        chosen.as_deref().map(TokenText::chosen).transpose().map_err(|error| {
            CliError::new(format!("INDELIBLE_ADMIN_TOKEN cannot be used: {error}")).exit(Exit::Config)
        })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let demo_asked = arguments.demo;
    let certificate = loaded.config.server.tls_certificate.clone();
    runtime.block_on(async move {
        let (give, mut given) = oneshot::channel::<Demo>();
        let signal = stop_signal()?;
        let stop = async move {
            signal.await;
            // before the server stops: the traffic gives its token back
            if let Ok(demo) = given.try_recv() {
                demo.stop().await;
            }
        };
        let options = ServeOptions { config: loaded.config, admin_token };
        let ready = |ready: Ready| {
            banner(&ready, chosen.is_some());
            proven::show_first(
                ready.data_dir.clone(),
                ready.logs.first().map(|(name, _)| name.clone()).unwrap_or_default(),
            );
            let token = ready.admin_token.as_ref().map(|token| token.reveal().to_owned()).or(chosen);
            let traffic = if demo_asked { demo::start(&ready, certificate, token) } else { None };
            if let Some(Err(demo)) = traffic.map(|traffic| give.send(traffic)) {
                drop(demo);
            }
        };
        serve(options, ready, stop).await.map_err(|error| CliError::because("the server could not start", &error))
    })?;
    Ok(Exit::Ok)
}

/// Resolves at SIGINT or SIGTERM.
fn stop_signal() -> Result<impl Future<Output = ()>, CliError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("Stopping: finishing requests, sealing the log.");
    })
}

/// What a person needs to go on, once, on standard error; nothing of it is ever logged.
fn banner(ready: &Ready, token_was_given: bool) {
    let url = &ready.url;
    let token = match (&ready.admin_token, token_was_given) {
        (Some(token), _) => format!("Admin token: {}   (shown only now)\n", token.reveal()),
        (None, true) => "Admin token: the one in INDELIBLE_ADMIN_TOKEN\n".to_owned(),
        (None, false) => {
            "Admin token: made at an earlier start; make others with `indelible token create`\n".to_owned()
        }
    };
    let variable = if token_was_given { "$INDELIBLE_ADMIN_TOKEN" } else { "$INDELIBLE_TOKEN" };
    let shown = ready.admin_token.as_ref().map_or(variable, |token| token.reveal());
    let made: Vec<&str> = ready.logs.iter().filter(|(_, made)| *made).map(|(name, _)| name.as_str()).collect();
    let logs = if made.is_empty() { String::new() } else { format!("New log:     {}\n", made.join(", ")) };
    let gateways = if ready.gateways.is_empty() {
        String::new()
    } else {
        format!("Gateways:    {}\nPolicies:    {}\n", ready.gateways.join(", "), ready.policy)
    };
    let text = format!(
        "\nIndelible is recording.\n\nURL:         {url}\n{token}Data:        {data}\n{logs}{gateways}\nRecord an event:\n\n  \
         curl -sS {url}/v1/events -H \"Authorization: Bearer {shown}\" \\\n    -d '{{\"time\":\"'$(date -u +%Y-%m-%dT%H:%M:%SZ)'\",\
         \"actor\":{{\"id\":\"ana@example.com\",\"type\":\"human\"}},\"action\":\"read\",\"resources\":[{{\"type\":\"dataset\",\
         \"id\":\"customers\"}}],\"outcome\":{{\"result\":\"allowed\"}}}}'\n\nFind it again:\n\n  curl -sS -G {url}/v1/events \
         -H \"Authorization: Bearer {shown}\" --data-urlencode 'q=actor:ana@example.com'\n\n",
        data = ready.data_dir.display(),
    );
    let shown = std::io::stderr().lock().write_all(text.as_bytes());
    if let Err(error) = shown {
        tracing::warn!(%error, "the banner could not be shown");
    }
}
