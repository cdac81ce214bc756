//! `indelible index rebuild|check` on a data folder.

use indelible_event::doors::EntryReader;
use indelible_search::{Access, Index, Settings};
use indelible_store::DataFolder;
use indelible_store::name::LogName;
use serde_json::json;

use crate::cli::{IndexArguments, IndexCommand};
use crate::exit::{CliError, Exit};
use crate::output::{Format, print};
use crate::progress;

use super::folder::published;

pub(crate) fn run(command: &IndexCommand) -> Result<Exit, CliError> {
    match command {
        IndexCommand::Rebuild(arguments) => rebuild(arguments),
        IndexCommand::Check(arguments) => check(arguments),
    }
}

fn log_name(arguments: &IndexArguments) -> Result<LogName, CliError> {
    LogName::new(&arguments.log).map_err(|error| CliError::new(error.to_string()))
}

fn rebuild(arguments: &IndexArguments) -> Result<Exit, CliError> {
    let name = log_name(arguments)?;
    let entries = published(&arguments.data, &name)?;
    // the lock keeps a server from writing the same files
    let _data =
        DataFolder::open(&arguments.data).map_err(|error| CliError::because("the index cannot be rebuilt", &error))?;
    let bar = progress::bar(entries.size(), "entries");
    let folder = arguments.data.join("index").join(name.as_str());
    let index =
        Index::rebuild(&folder, name.as_str(), Settings::default(), &entries, &mut |done, _| bar.set_position(done))
            .map_err(|error| CliError::because("the index cannot be rebuilt", &error))?;
    index.flush().map_err(|error| CliError::because("the index cannot be written", &error))?;
    bar.finish_and_clear();
    let state = index.state();
    match arguments.format {
        Format::Text => print(format_args!(
            "Rebuilt: {} entries in {} files, {} bytes.\n",
            state.in_files, state.files, state.file_bytes
        ))?,
        Format::Json => {
            print(format_args!(
                "{}\n",
                json!({"entries": state.in_files, "files": state.files, "bytes": state.file_bytes})
            ))?;
        }
    }
    Ok(Exit::Ok)
}

fn check(arguments: &IndexArguments) -> Result<Exit, CliError> {
    let name = log_name(arguments)?;
    let entries = published(&arguments.data, &name)?;
    let settings = Settings { access: Access::ReadOnly, ..Settings::default() };
    let folder = arguments.data.join("index").join(name.as_str());
    let failed = |error: &dyn std::error::Error| {
        CliError::because("the index is not what the log says", error)
            .exit(Exit::Finding)
            .hint("keep the files as evidence, then write them anew with `indelible index rebuild`")
    };
    let index = Index::open(&folder, name.as_str(), settings).map_err(|error| failed(&error))?;
    let bar = progress::bar(entries.size(), "entries");
    let checked = index.check(&entries, &mut |done, _| bar.set_position(done));
    bar.finish_and_clear();
    let checked = checked.map_err(|error| failed(&error))?;
    match arguments.format {
        Format::Text => print(format_args!("The index says what the log says: {checked} entries compared.\n"))?,
        Format::Json => print(format_args!("{}\n", json!({"entries": checked, "equal": true})))?,
    }
    Ok(Exit::Ok)
}
