//! How the texts of settings are read, and what is said of one that cannot be. Never: knows which key a value belongs to.

use std::path::PathBuf;
use std::time::Duration;

use super::{ByteSize, LogFormat, LogLevel, Period};

pub(super) fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

pub(super) fn shown(path: Option<&PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

pub(super) fn listen(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is not HOST:PORT, such as `127.0.0.1:7411` or `[::1]:7411`");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || bare_ipv6 || host.contains(char::is_whitespace) || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("a path cannot be empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if host.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '?' || c == '#') {
        return Err(format!("`{text}` is not a URL such as `https://audit.example.com`"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

pub(super) fn origin(text: &str) -> Result<String, String> {
    indelible_tlog::checkpoint::Origin::new(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

pub(super) fn log_name(text: &str) -> Result<String, String> {
    indelible_store::name::LogName::new(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!("`{other}` is neither `true` nor `false`")),
    }
}

pub(super) fn fields(text: &str) -> Result<Vec<String>, String> {
    let fields: Vec<String> =
        text.split(',').map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned).collect();
    for field in &fields {
        if let Err(near) = indelible_event::schema::is_committable(field) {
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("`{field}` is no text of an event that may stand as a commitment{hint}"));
        }
    }
    Ok(fields)
}

pub(super) fn count(text: &str, least: u64, most: u64) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(count) if (least..=most).contains(&count) => Ok(count),
        _ => Err(format!("`{text}` is not a whole number from {least} to {most}")),
    }
}

pub(super) fn size(text: &str, least: u64, most: u64) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|error: super::UnitError| error.to_string())?;
    if !(least..=most).contains(&size.0) {
        return Err(format!("{size} is outside {} to {}", ByteSize(least), ByteSize(most)));
    }
    Ok(size)
}

pub(super) fn time(text: &str, least_ms: u64, most_ms: u64) -> Result<Period, String> {
    time_within(text, Duration::from_millis(least_ms), Duration::from_millis(most_ms))
}

pub(super) fn time_within(text: &str, least: Duration, most: Duration) -> Result<Period, String> {
    let time: Period = text.parse().map_err(|error: super::UnitError| error.to_string())?;
    if !(least..=most).contains(&time.duration()) {
        let shown = |limit: Duration| Period::milliseconds(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        return Err(format!("{time} is outside {} to {}", shown(least), shown(most)));
    }
    Ok(time)
}

pub(super) fn format_word(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    [LogFormat::Text, LogFormat::Json]
        .into_iter()
        .find(|format| format_word(*format) == text)
        .ok_or_else(|| format!("`{text}` is neither `text` nor `json`"))
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, String> {
    LogLevel::ALL
        .into_iter()
        .find(|level| level.word() == text)
        .ok_or_else(|| format!("`{text}` is none of error, warn, info, debug, trace"))
}
