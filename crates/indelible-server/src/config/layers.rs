//! One layer over the other: defaults, file, variables, flags; each value remembers where it came from. All faults are
//! gathered, so that a person mends a file once. Never: reads the process's environment itself; it is handed in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use indelible_access::budget::BUDGETS_MAX;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    BUDGET_KEYS, Config, GATEWAYS_MAX, ItemKey, KEYS, Kind, LLM_KEYS, LOG_KEYS, LOGS_MAX, Logs, MCP_KEYS, PRICE_KEYS,
    RECEIVER_KEYS, RECEIVERS_MAX, SIGN_IN_ROLE_KEYS, SIGN_IN_ROLES_MAX, SOURCE_KEYS, SOURCES_EXPECTED_MAX,
};
use crate::near::nearest;

/// The file that is read when no other is named, if it is there.
pub const FILE_NAME: &str = "indelible.toml";
/// Largest configuration file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of the file.
    File {
        /// Which line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// A flag of the command.
    Flag {
        /// Its name.
        name: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { line } => write!(f, "file, line {line}"),
            Self::Variable { name } => write!(f, "variable {name}"),
            Self::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

/// What the command's flags say, over everything else.
#[derive(Clone, Debug, Default)]
pub struct ConfigOverrides {
    /// `--config FILE`
    pub file: Option<PathBuf>,
    /// `--listen HOST:PORT`
    pub listen: Option<String>,
    /// `--data DIR`
    pub data: Option<PathBuf>,
    /// `--public-url URL`
    pub public_url: Option<String>,
    /// `--log-level LEVEL`
    pub log_level: Option<String>,
    /// `--log-format FORMAT`
    pub log_format: Option<String>,
}

/// Settings that hold together, and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// For each path (`limits.queries`, `log.main.origin`) its origin, when it is not the default.
    pub origins: BTreeMap<String, Origin>,
}

impl Loaded {
    /// Where the value at `path` came from.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::Default)
    }
}

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// `indelible.toml:3:5`, `variable INDELIBLE_…`, `flag --listen`.
    pub place: String,
    /// The key it concerns; empty when the whole file is meant.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// The nearest known key.
    pub nearest: Option<String>,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.reason)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        Ok(())
    }
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by `--config` or found in the working folder could not be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was read, and is wrong; one line a fault.
    #[error("the configuration is wrong:\n{}", .0.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<ConfigFault>),
}

/// Puts the layers together. `variables` are the process's environment, or a test's.
///
/// # Errors
/// [`ConfigError`] with every fault found.
pub fn load(
    overrides: &ConfigOverrides,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let (file, text) = read_file(overrides.file.as_deref())?;
    let mut layers = Layers {
        loaded: Loaded { config: Config::default(), file: file.clone(), origins: BTreeMap::new() },
        faults: Vec::new(),
    };
    if let Some(file) = &file {
        layers.file(&file.display().to_string(), &text);
    }
    layers.variables(variables);
    layers.flags(overrides);
    // Relations between values that are wrong already would only confuse.
    if layers.faults.is_empty() {
        for (key, reason) in layers.loaded.config.relations() {
            let place = layers.loaded.origin(&key).to_string();
            layers.faults.push((0, ConfigFault { place, key, reason, nearest: None }));
        }
    }
    if layers.faults.is_empty() {
        return Ok(layers.loaded);
    }
    layers.faults.sort_by_key(|(at, _)| *at);
    Err(ConfigError::Wrong(layers.faults.into_iter().map(|(_, fault)| fault).collect()))
}

/// A file that was named must be there; the one that was not named may be missing.
fn read_file(named: Option<&Path>) -> Result<(Option<PathBuf>, String), ConfigError> {
    let path = named.unwrap_or(Path::new(FILE_NAME)).to_owned();
    let read = || -> std::io::Result<String> {
        let bytes = std::fs::metadata(&path)?.len();
        if bytes > FILE_BYTES_MAX {
            let reason = format!("{bytes} bytes; a configuration file has at most {FILE_BYTES_MAX}");
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, reason));
        }
        std::fs::read_to_string(&path)
    };
    match read() {
        Ok(text) => Ok((Some(path), text)),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok((None, String::new())),
        Err(source) => Err(ConfigError::Read { path, source }),
    }
}

struct Layers {
    loaded: Loaded,
    /// With the byte of the file each is at; what is not in the file comes last.
    faults: Vec<(usize, ConfigFault)>,
}

/// Where a byte of the file is.
struct Positions<'a> {
    file: &'a str,
    text: &'a str,
}

impl Positions<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    fn place(&self, at: usize) -> String {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        format!("{}:{}:{column}", self.file, self.line(at))
    }
}

impl Layers {
    fn file(&mut self, file: &str, text: &str) {
        let positions = Positions { file, text };
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            self.fault_at(&positions, at, "", error.message().to_owned(), None);
        }
        if errors.is_empty() {
            self.table(&positions, "", document.get_ref());
        }
    }

    /// Walks a table; `prefix` is empty or ends with a dot.
    fn table(&mut self, positions: &Positions<'_>, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = format!("{prefix}{}", name.get_ref());
            match path.as_str() {
                "log" => self.loaded.config.logs = Logs(self.list(positions, &path, value, LOG_KEYS, LOGS_MAX)),
                "gateway" => self.gateways(positions, value),
                "receiver" => {
                    self.loaded.config.receivers = self.list(positions, &path, value, RECEIVER_KEYS, RECEIVERS_MAX);
                }
                "budget" => {
                    self.loaded.config.budgets = self.list(positions, &path, value, BUDGET_KEYS, BUDGETS_MAX);
                }
                "source" => {
                    let most = SOURCES_EXPECTED_MAX;
                    self.loaded.config.sources.expected = self.list(positions, &path, value, SOURCE_KEYS, most);
                }
                "sign_in.oidc.role" => {
                    let (keys, most) = (SIGN_IN_ROLE_KEYS, SIGN_IN_ROLES_MAX);
                    self.loaded.config.sign_in.oidc.roles = self.list(positions, &path, value, keys, most);
                }
                _ => self.key_or_section(positions, path, name.span().start, value.get_ref()),
            }
        }
    }

    /// What is at `path`, which is none of the lists.
    fn key_or_section(&mut self, positions: &Positions<'_>, path: String, at: usize, value: &DeValue<'_>) {
        let is_section = KEYS.iter().any(|key| key.path.starts_with(&format!("{path}.")));
        match (KEYS.iter().find(|key| key.path == path), value) {
            (None, DeValue::Table(inner)) if is_section => {
                self.table(positions, &format!("{path}."), inner);
            }
            (Some(key), value) => {
                let set = scalar(value, key.kind).and_then(|text| (key.set)(&mut self.loaded.config, &text));
                self.took(positions, at, path, set);
            }
            (None, _) if is_section => {
                self.fault_at(positions, at, &path, format!("is a section; write `[{path}]`"), None);
            }
            (None, _) => {
                let sections = KEYS.iter().filter_map(|key| key.path.split('.').next());
                let lists = ["log", "gateway", "budget", "source", "receiver"];
                let known = KEYS.iter().map(|key| key.path).chain(sections).chain(lists);
                let near = nearest(&path, known);
                self.fault_at(positions, at, &path, "no such key".to_owned(), near);
            }
        }
    }

    fn gateways(&mut self, positions: &Positions<'_>, value: &Spanned<DeValue<'_>>) {
        let DeValue::Table(table) = value.get_ref() else {
            let reason = "is a table; write `[[gateway.llm]]` or `[[gateway.mcp]]`".to_owned();
            return self.fault_at(positions, value.span().start, "gateway", reason, None);
        };
        for (name, value) in table {
            let most = GATEWAYS_MAX;
            match name.get_ref().as_ref() {
                "llm" => {
                    self.loaded.config.gateway.llm = self.list(positions, "gateway.llm", value, LLM_KEYS, most);
                }
                "mcp" => {
                    self.loaded.config.gateway.mcp = self.list(positions, "gateway.mcp", value, MCP_KEYS, most);
                }
                "heartbeat" => {
                    let Some(key) = KEYS.iter().find(|key| key.path == "gateway.heartbeat") else { continue };
                    let set =
                        scalar(value.get_ref(), key.kind).and_then(|text| (key.set)(&mut self.loaded.config, &text));
                    self.took(positions, name.span().start, key.path.to_owned(), set);
                }
                "price" => {
                    self.loaded.config.gateway.prices = self.list(positions, "gateway.price", value, PRICE_KEYS, most);
                }
                other => {
                    let near = nearest(other, ["llm", "mcp", "price", "heartbeat"]);
                    let path = format!("gateway.{other}");
                    self.fault_at(positions, name.span().start, &path, "no such kind of gateway".to_owned(), near);
                }
            }
        }
    }

    /// The tables of a list, such as all `[[log]]`.
    fn list<T: Default>(
        &mut self,
        positions: &Positions<'_>,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        keys: &'static [ItemKey<T>],
        most: usize,
    ) -> Vec<T> {
        let DeValue::Array(list) = value.get_ref() else {
            self.fault_at(positions, value.span().start, path, format!("is a list; write `[[{path}]]`"), None);
            return Vec::new();
        };
        // Of logs one more is read, so that the fault can tell how many there are.
        if list.len() > most.max(LOGS_MAX + 1) {
            self.fault_at(positions, value.span().start, path, format!("has more than {most} tables"), None);
        }
        let mut items = Vec::new();
        for one in list.iter().take(most + 1) {
            let DeValue::Table(table) = one.get_ref() else {
                let reason = format!("is a table; write `[[{path}]]`");
                self.fault_at(positions, one.span().start, path, reason, None);
                continue;
            };
            items.push(self.item(positions, path, table, keys));
        }
        items
    }

    fn item<T: Default>(
        &mut self,
        positions: &Positions<'_>,
        list: &str,
        table: &DeTable<'_>,
        keys: &'static [ItemKey<T>],
    ) -> T {
        let mut item = T::default();
        let name = table.get("name").or_else(|| table.get("id")).or_else(|| table.get("group"));
        let name = name.and_then(|name| name.get_ref().as_str()).unwrap_or_default().to_owned();
        for (key, value) in table {
            let at = key.span().start;
            let path = format!("{list}.{name}.{}", key.get_ref());
            let Some(known) = keys.iter().find(|known| known.name == key.get_ref().as_ref()) else {
                let near = nearest(key.get_ref(), keys.iter().map(|known| known.name));
                self.fault_at(positions, at, &path, "no such key".to_owned(), near);
                continue;
            };
            let set = scalar(value.get_ref(), known.kind).and_then(|text| (known.set)(&mut item, &text));
            self.took(positions, at, path, set);
        }
        item
    }

    fn took(&mut self, positions: &Positions<'_>, at: usize, path: String, set: Result<(), String>) {
        match set {
            Ok(()) => {
                self.loaded.origins.insert(path, Origin::File { line: positions.line(at) });
            }
            Err(reason) => self.fault_at(positions, at, &path, reason, None),
        }
    }

    fn variables(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let mut ours: Vec<(String, String)> =
            variables.into_iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect();
        ours.sort();
        for (name, value) in ours {
            if OTHER_VARIABLES.contains(&name.as_str()) || is_from_kubernetes(&name) {
                continue;
            }
            let origin = Origin::Variable { name: name.clone() };
            if let Some(key) = KEYS.iter().find(|key| variable_name(key.path) == name) {
                let set = (key.set)(&mut self.loaded.config, &value);
                self.overrode(key.path.to_owned(), origin, set);
                continue;
            }
            let logs = &mut self.loaded.config.logs.0;
            let target = logs.iter_mut().find_map(|log| {
                let key =
                    LOG_KEYS.iter().find(|key| variable_name(&format!("log.{}.{}", log.name, key.name)) == name)?;
                Some((log, key))
            });
            if let Some((log, key)) = target {
                let path = format!("log.{}.{}", log.name, key.name);
                let set = (key.set)(log, &value);
                self.overrode(path, origin, set);
                continue;
            }
            let known: Vec<String> = KEYS.iter().map(|key| variable_name(key.path)).collect();
            let near = nearest(&name, known.iter().map(String::as_str).chain(OTHER_VARIABLES));
            self.fault(origin.to_string(), "", "no setting has this name".to_owned(), near);
        }
    }

    fn flags(&mut self, overrides: &ConfigOverrides) {
        let data = overrides.data.as_ref().map(|data| data.display().to_string());
        let given = [
            ("--listen", "server.listen", overrides.listen.as_deref()),
            ("--data", "server.data", data.as_deref()),
            ("--public-url", "server.public_url", overrides.public_url.as_deref()),
            ("--log-level", "telemetry.log_level", overrides.log_level.as_deref()),
            ("--log-format", "telemetry.log_format", overrides.log_format.as_deref()),
        ];
        for (name, path, value) in given {
            let (Some(value), Some(key)) = (value, KEYS.iter().find(|key| key.path == path)) else { continue };
            let set = (key.set)(&mut self.loaded.config, value);
            self.overrode(path.to_owned(), Origin::Flag { name }, set);
        }
    }

    fn overrode(&mut self, path: String, origin: Origin, set: Result<(), String>) {
        match set {
            Ok(()) => {
                self.loaded.origins.insert(path, origin);
            }
            Err(reason) => self.fault(origin.to_string(), &path, reason, None),
        }
    }

    fn fault(&mut self, place: String, key: &str, reason: String, nearest: Option<String>) {
        self.faults.push((usize::MAX, ConfigFault { place, key: key.to_owned(), reason, nearest }));
    }

    fn fault_at(&mut self, positions: &Positions<'_>, at: usize, key: &str, reason: String, nearest: Option<String>) {
        let fault = ConfigFault { place: positions.place(at), key: key.to_owned(), reason, nearest };
        self.faults.push((at, fault));
    }
}

const VARIABLE_PREFIX: &str = "INDELIBLE_";
/// Variables with this prefix that are no settings of the server.
const OTHER_VARIABLES: [&str; 5] =
    ["INDELIBLE_ADMIN_TOKEN", "INDELIBLE_URL", "INDELIBLE_TOKEN", "INDELIBLE_CONFIG", "INDELIBLE_MASTER_KEY"];

/// `limits.request_bytes` is `INDELIBLE_LIMITS_REQUEST_BYTES`.
fn variable_name(path: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", path.replace(['.', '-'], "_").to_ascii_uppercase())
}

/// Kubernetes sets such variables in every pod when a service is named `indelible…`; they are none of ours.
fn is_from_kubernetes(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_PORT")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_") && ["_TCP", "_UDP"].iter().any(|protocol| name.contains(protocol))
}

/// The text form of a TOML value, if it is of the right kind.
fn scalar(value: &DeValue<'_>, kind: Kind) -> Result<String, String> {
    let wrong = || Err(format!("must be {}, not {}", kind.words(), type_words(value)));
    match (kind, value) {
        (Kind::Text, DeValue::String(text)) => Ok(text.clone().into_owned()),
        (Kind::Flag, DeValue::Boolean(flag)) => Ok(flag.to_string()),
        (Kind::Count, DeValue::Integer(number)) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        (Kind::Texts, DeValue::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            texts.map_or_else(wrong, |texts| Ok(texts.join(",")))
        }
        _ => wrong(),
    }
}

fn type_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests;
