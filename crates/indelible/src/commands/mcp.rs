//! `indelible mcp wrap -- COMMAND …`: a tool server over pipes, with everything that passes on record.
//!
//! Promises: standard output carries the protocol and nothing else; the child's exit code is ours; what waits for an answer when
//! either side goes has ended before we do. Never: passes a message on that is not recorded.

use std::sync::Arc;
use std::time::Duration;

use indelible_access::door::Door;
use indelible_event::doors::EntryIndex;
use indelible_event::env::{Clock, Randomness};
use indelible_event::id::EventId;
use indelible_event::words::ActorType;
use indelible_gateway::caller::{Caller, ON_BEHALF_OF};
use indelible_gateway::exchange::announce;
use indelible_gateway::labels::Scanner;
use indelible_gateway::mcp::definitions::Definitions;
use indelible_gateway::mcp::rules::Rules;
use indelible_gateway::mcp::stdio::StdioGateway;
use indelible_gateway::open::{OPEN_MAX, OpenExchanges};
use indelible_gateway::recover::recover;
use indelible_gateway::route::{Capture, CaptureSettings, OnLogFailure, Route};
use indelible_gateway::surroundings::Surroundings;
use indelible_store::{SystemClock, SystemRandomness};
use tokio::signal::unix::{SignalKind, signal};
use ureq::http::{HeaderMap, HeaderValue};

use crate::cli::{CaptureArgument, McpCommand, McpWrapArguments, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};

use super::mcp_child::Child;
use super::mcp_folder::OwnLog;
use super::mcp_recorder::{NoVault, ServerRecorder};

/// How long a child may take to end once nobody writes to it any more.
const CHILD_GRACE: Duration = Duration::from_secs(5);
/// How long outcomes that the log has not taken yet are waited for at the end.
const OUTCOMES_GRACE: Duration = Duration::from_secs(5);

pub(crate) fn run(server: &ServerArguments, command: &McpCommand) -> Result<Exit, CliError> {
    let McpCommand::Wrap(arguments) = command;
    let name = server_name(arguments)?;
    let capture = capture(arguments)?;
    let caller = caller(arguments)?;
    let own = match &arguments.data {
        Some(folder) => Some(OwnLog::open(folder, &name, capture != Capture::None)?),
        None => None,
    };
    let recorder: Arc<dyn indelible_event::doors::Recorder> = match &own {
        Some(own) => own.recorder(),
        None => Arc::new(ServerRecorder::new(Client::new(server)?.impatient(), arguments.log.as_deref())),
    };
    let next = own.as_ref().map_or(EntryIndex(0), OwnLog::next);
    let surroundings = Arc::new(Surroundings {
        recorder,
        vault: own.as_ref().map_or_else(|| Arc::new(NoVault) as _, OwnLog::vault),
        door: Arc::new(Door::permit_all()),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        open: Arc::new(OpenExchanges::new(OPEN_MAX, next)),
        labels: Arc::new(Scanner::new()),
    });
    let kept = CaptureSettings { prompt: capture, answer: capture, arguments: capture, result: capture };
    let route = Arc::new(Route::new(&name, kept, OnLogFailure::Refuse));
    let memory = arguments.data.as_ref().map(|data| data.join("gateway").join(format!("{name}.tools.json")));
    let definitions =
        Definitions::open(memory).map_err(|error| CliError::because("the tool server cannot be wrapped", &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let s = Arc::clone(&surroundings);
        if let Some(own) = &own {
            let from = own.mark();
            recover(&s, own.reader(), from, Arc::default()).await.map_err(|error| not_recorded(&error))?;
        }
        let program = program(arguments);
        announce(&s, &route, &program).await.map_err(|error| not_recorded(&error))?;
        let gateway = StdioGateway::new(s, route, Rules::new(&name), definitions, caller);
        wrap(arguments, &gateway, &surroundings).await
    });
    // Whatever still waits for the disk or the server has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    if let Some(own) = own {
        own.close(surroundings.open.low_water());
    }
    ended
}

/// From the child's start to its end.
async fn wrap(
    arguments: &McpWrapArguments,
    gateway: &StdioGateway,
    surroundings: &Surroundings,
) -> Result<Exit, CliError> {
    let (mut child, pipes) = Child::start(&arguments.command)?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let client_gone = child.client_gone();
    let mut passing = std::pin::pin!(gateway.run(pipes));
    let passed = tokio::select! {
        passed = &mut passing => passed,
        () = async {
            tokio::select! {
                () = async { client_gone.await; tokio::time::sleep(CHILD_GRACE).await } => {}
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        } => {
            child.end();
            passing.await
        }
    };
    let code = child.wait().await?;
    let mut waited = Duration::ZERO;
    while surroundings.open.count() > 0 && waited < OUTCOMES_GRACE {
        let pause = Duration::from_millis(20);
        tokio::time::sleep(pause).await;
        waited += pause;
    }
    if let Err(error) = passed {
        eprintln!("indelible: the end of the session could not be recorded: {error}");
    }
    Ok(Exit::Child(code))
}

fn not_recorded(error: &dyn std::error::Error) -> CliError {
    CliError::because("the tool server is not started, for nothing can be recorded", error)
        .hint("set INDELIBLE_URL and INDELIBLE_TOKEN (role ingest), or keep a log of its own with --data DIR")
}

/// The name that events give the server: the one asked for, else the program's.
fn server_name(arguments: &McpWrapArguments) -> Result<String, CliError> {
    let name = arguments.name.clone().unwrap_or_else(|| program(arguments));
    let fine = |mark: char| mark.is_ascii_alphanumeric() || matches!(mark, '-' | '_' | '.');
    let name: String = name.chars().map(|mark| if fine(mark) { mark } else { '-' }).take(64).collect();
    if name.trim_matches(['.', '-']).is_empty() {
        return Err(CliError::new("the tool server needs a name: set --name").exit(Exit::Usage));
    }
    Ok(name)
}

/// The program without its folder. Its arguments may hold secrets and are never told.
fn program(arguments: &McpWrapArguments) -> String {
    let program = arguments.command.first().map(std::path::Path::new).and_then(std::path::Path::file_name);
    program.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// How much is kept: with a log of its own everything, sealed; with a server nothing, for there is no way to seal into it.
fn capture(arguments: &McpWrapArguments) -> Result<Capture, CliError> {
    let capture = match (arguments.capture, &arguments.data) {
        (None | Some(CaptureArgument::None), None) | (Some(CaptureArgument::None), Some(_)) => Capture::None,
        (None | Some(CaptureArgument::Sealed), Some(_)) => Capture::Sealed,
        (Some(CaptureArgument::Hash), Some(_)) => Capture::Hash,
        (Some(CaptureArgument::Sealed | CaptureArgument::Hash), None) => {
            return Err(CliError::new(
                "content can be sealed or hashed only into a log of its own: its keys stay there",
            )
            .exit(Exit::Usage)
            .hint("add --data DIR, or leave --capture out"));
        }
    };
    Ok(capture)
}

/// Who calls, as the command line says: there is nobody else who could.
fn caller(arguments: &McpWrapArguments) -> Result<Caller, CliError> {
    let wrong = |error: &dyn std::error::Error| CliError::because("the caller cannot be used", error).exit(Exit::Usage);
    let actor = arguments.actor.as_deref().unwrap_or("agent:mcp-client");
    let (actor_type, id) = match actor.split_once(':') {
        Some((word, id)) => match ActorType::parse(word) {
            Some(actor_type) => (actor_type, id),
            None => (ActorType::Agent, actor),
        },
        None => (ActorType::Agent, actor),
    };
    let mut caller = Caller::new(id, actor_type);
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty()).map(|user| format!("human:{user}"));
    if let Some(chain) = arguments.on_behalf_of.clone().or_else(user) {
        let mut headers = HeaderMap::new();
        headers.insert(ON_BEHALF_OF, HeaderValue::from_str(&chain).map_err(|error| wrong(&error))?);
        caller.read_headers(&headers).map_err(|error| wrong(&error))?;
    }
    let mut random = [0; 10];
    SystemRandomness.fill(&mut random).map_err(|error| wrong(&error))?;
    let unix_ms = u64::try_from(SystemClock.now().0 / 1_000_000).unwrap_or_default();
    caller.request = EventId::version_7(unix_ms, random).to_string();
    caller.session = Some(format!("mcp:{}", caller.request));
    caller.user_agent = concat!("indelible/", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(caller)
}
