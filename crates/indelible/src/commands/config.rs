//! `indelible config check|show`.

use std::io::Write;

use indelible_server::config::{ConfigError, ConfigOverrides, Loaded, load, show};

use crate::cli::{ConfigArguments, ConfigCommand};
use crate::exit::{CliError, Exit};
use crate::output::{Format, stdout};

pub(crate) fn run(command: &ConfigCommand) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Check(arguments) => check(arguments),
        ConfigCommand::Show(arguments) => {
            let loaded = read(arguments)?;
            let text = show(&loaded, std::env::var_os("INDELIBLE_ADMIN_TOKEN").is_some());
            match arguments.format {
                Format::Text => write!(stdout(), "{text}")?,
                Format::Json => {
                    let values: serde_json::Map<String, serde_json::Value> = loaded
                        .origins
                        .iter()
                        .map(|(key, origin)| (key.clone(), serde_json::Value::String(origin.to_string())))
                        .collect();
                    writeln!(stdout(), "{:#}", serde_json::json!({"toml": text, "set": values}))?;
                }
            }
            Ok(Exit::Ok)
        }
    }
}

fn check(arguments: &ConfigArguments) -> Result<Exit, CliError> {
    let loaded = read(arguments)?;
    let file = loaded.file.as_ref().map_or_else(|| "no file: defaults and environment".to_owned(), |file| file.display().to_string());
    match arguments.format {
        Format::Text => writeln!(stdout(), "The configuration can be used ({file}).")?,
        Format::Json => writeln!(stdout(), "{}", serde_json::json!({"usable": true, "file": file}))?,
    }
    Ok(Exit::Ok)
}

fn read(arguments: &ConfigArguments) -> Result<Loaded, CliError> {
    let overrides = ConfigOverrides { file: arguments.config.clone(), ..ConfigOverrides::default() };
    load(&overrides, std::env::vars()).map_err(|error| wrong(&error))
}

/// Each fault on its own line.
pub(crate) fn wrong(error: &ConfigError) -> CliError {
    match error {
        ConfigError::Wrong(faults) => CliError::new("the configuration is wrong")
            .details(faults.iter().map(ToString::to_string).collect())
            .hint("`indelible.example.toml` has every key with its default"),
        other => CliError::because("the configuration cannot be read", other),
    }
    .exit(Exit::Config)
}
