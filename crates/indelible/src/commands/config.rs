//! `indelible config check|show`.

use indelible_server::config::{ConfigError, ConfigOverrides, Loaded, load, show};

use crate::cli::{ConfigArguments, ConfigCommand};
use crate::exit::{CliError, Detail, Exit};
use crate::output::{Format, print};

pub(crate) fn run(command: &ConfigCommand) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Check(arguments) => check(arguments),
        ConfigCommand::Show(arguments) => {
            let loaded = read(arguments)?;
            let text = show(&loaded, std::env::var_os("INDELIBLE_ADMIN_TOKEN").is_some());
            match arguments.format {
                Format::Text => print(format_args!("{text}"))?,
                Format::Json => {
                    let values: serde_json::Map<String, serde_json::Value> = loaded
                        .origins
                        .iter()
                        .map(|(key, origin)| (key.clone(), serde_json::Value::String(origin.to_string())))
                        .collect();
                    print(format_args!("{:#}\n", serde_json::json!({"toml": text, "set": values})))?;
                }
            }
            Ok(Exit::Ok)
        }
    }
}

fn check(arguments: &ConfigArguments) -> Result<Exit, CliError> {
    let loaded = read(arguments)?;
    let file = loaded
        .file
        .as_ref()
        .map_or_else(|| "no file: defaults and environment".to_owned(), |file| file.display().to_string());
    match arguments.format {
        Format::Text => print(format_args!("The configuration can be used ({file}).\n"))?,
        Format::Json => print(format_args!("{}\n", serde_json::json!({"usable": true, "file": file})))?,
    }
    Ok(Exit::Ok)
}

fn read(arguments: &ConfigArguments) -> Result<Loaded, CliError> {
    let overrides = ConfigOverrides { file: arguments.config.clone(), ..ConfigOverrides::default() };
    load(&overrides, variables()).map_err(|error| wrong(&error))
}

/// The environment. What is no text shows as such in the fault that it leads to, if it is one of our variables.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// Each fault on its own line.
pub(crate) fn wrong(error: &ConfigError) -> CliError {
    match error {
        ConfigError::Wrong(faults) => CliError::new("the configuration is wrong")
            .details(faults.iter().map(|fault| Detail { line: None, text: fault.to_string() }).collect())
            .hint("`indelible.example.toml` has every key with its default"),
        ConfigError::Read { .. } => CliError::because("the configuration cannot be read", error),
    }
    .exit(Exit::Config)
}
