//! Where a provider may be: `https`, or plain on this machine. Never: a name in front of the host, or a fragment.

use indelible_event::percent::encode;

/// Longest address.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// Whether an address is on this machine, or may be anywhere because it is `https`. `None` when it is no address for a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// `https`.
    Secure,
    /// `http` on this machine: for trying things out.
    Loopback,
}

/// Reads an address.
pub(super) fn reach(address: &str) -> Option<Reach> {
    let is_plain = |byte: u8| (0x21..0x7f).contains(&byte) && !b"#\\\"<>^`{|}".contains(&byte);
    if address.len() > ADDRESS_BYTES_MAX || !address.bytes().all(is_plain) {
        return None;
    }
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host(authority)?;
    match scheme {
        "https" => Some(Reach::Secure),
        "http" if is_loopback(host) => Some(Reach::Loopback),
        _ => None,
    }
}

fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("443"))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "443")),
    };
    let fits = !host.is_empty() && !host.contains('@') && port.parse::<u16>().is_ok_and(|port| port > 0);
    fits.then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An address with parameters more.
pub(super) fn with_parameters(address: &str, parameters: &[(&str, &str)]) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{}", form(parameters))
}

/// Parameters as a form sends them.
pub(super) fn form(parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_reached_by_https_or_on_this_machine() {
        for secure in ["https://id.example.com", "https://id.example.com:8443/realms/a?x=1", "https://[2001:db8::1]/a"]
        {
            assert_eq!(reach(secure), Some(Reach::Secure), "{secure}");
        }
        for near in ["http://localhost:9000", "http://127.0.0.1/a", "http://[::1]:9000/"] {
            assert_eq!(reach(near), Some(Reach::Loopback), "{near}");
        }
        for wrong in [
            "",
            "id.example.com",
            "http://id.example.com",
            "http://localhost.example.com",
            "http://localhost@evil.example",
            "https://user:secret@id.example.com",
            "https://",
            "https:///path",
            "https://id.example.com#fragment",
            "https://id.example.com\\@evil",
            "https://id.exämple.com",
            "https://id.example.com:0",
            "https://id.example.com:port",
            "https://a b",
            "ftp://id.example.com",
            "HTTPS://id.example.com",
        ] {
            assert_eq!(reach(wrong), None, "{wrong}");
        }
        assert_eq!(reach(&format!("https://{}", "a".repeat(2_048))), None);
    }

    #[test]
    fn parameters_cannot_break_out_of_an_address() {
        let address = with_parameters("https://id.example.com/a?b=c", &[("state", "x&y=z #%é")]);
        assert_eq!(address, "https://id.example.com/a?b=c&state=x%26y%3Dz%20%23%25%C3%A9");
    }
}
