//! What of an event counts for baselines, as keys. Texts are looked up again only when something is told.

use std::net::IpAddr;

use indelible_event::OWN_SOURCE_KIND;
use indelible_event::view::ResourceView;

use super::BaselineSettings;
use super::hash::Key;
use super::profile::Dimension;
use crate::seen::Seen;

const HOUR_NS: i64 = 3_600_000_000_000;
/// Most resources and persons of an event that are looked at one by one.
const ITEMS_MAX: usize = 32;
/// Most roles of an actor that count.
const ROLES_MAX: usize = 4;

const ACTOR: Key = Key::of(1);
const ROLE: Key = Key::of(2);
const RESOURCE: Key = Key::of(3);
const VALUE: Key = Key::of(4);

/// Where in the event something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Resource(usize),
    Network,
    Model,
    Tool,
    Person(usize),
    Program,
}

impl Place {
    pub(super) fn dimension(self) -> Dimension {
        match self {
            Self::Resource(_) => Dimension::Resource,
            Self::Network => Dimension::Network,
            Self::Model => Dimension::Model,
            Self::Tool => Dimension::Tool,
            Self::Person(_) | Self::Program => Dimension::Peer,
        }
    }
}

/// Something that was used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) key: Key,
    pub(super) sensitive: bool,
}

/// What counts of one event. Reused from one to the next.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) actor: u64,
    pub(super) hour: u32,
    /// Whether it was refused or failed: that teaches nothing.
    pub(super) refused: bool,
    pub(super) items: Vec<Item>,
    pub(super) roles: Vec<u64>,
    /// Profiles of the resources, beside their places.
    pub(super) resources: Vec<(usize, u64)>,
    /// Rows, KiB, tokens.
    pub(super) sums: [u32; 3],
    pub(super) sensitive: bool,
}

impl Facts {
    /// Reads an event. False when it says nothing for baselines: no actor, no time, or an intent whose outcome comes as well.
    pub(super) fn read(&mut self, seen: &Seen<'_>, settings: &BaselineSettings) -> bool {
        let view = &seen.view;
        let (Some(actor), Some(recorded)) = (view.actor.id.as_deref(), view.recorded_unix_ns) else { return false };
        if actor.is_empty() || view.outcome.phase.as_deref() == Some("intent") {
            return false;
        }
        let local = recorded.saturating_add(i64::from(settings.utc_offset_minutes) * 60_000_000_000);
        let Ok(hour) = u32::try_from(local / HOUR_NS) else { return false };
        self.hour = hour;
        self.actor = ACTOR.text(actor).0;
        self.refused = view.outcome.result.as_deref().is_some_and(|result| result != "allowed");
        self.read_roles(seen);
        self.read_items(seen, settings);
        true
    }

    fn read_roles(&mut self, seen: &Seen<'_>) {
        let actor = &seen.view.actor;
        self.roles.clear();
        self.roles.extend(actor.roles.iter().chain(&actor.groups).take(ROLES_MAX).map(|role| ROLE.text(role).0));
        if self.roles.is_empty()
            && let Some(kind) = actor.kind.as_deref()
        {
            self.roles.push(ROLE.text(kind).number(1).0);
        }
    }

    fn read_items(&mut self, seen: &Seen<'_>, settings: &BaselineSettings) {
        let view = &seen.view;
        self.items.clear();
        self.resources.clear();
        self.sensitive = false;
        let (mut rows, mut bytes) = (0i64, 0i64);
        for (at, resource) in view.resources.iter().enumerate() {
            rows = rows.saturating_add(resource.count.unwrap_or(0).max(0));
            bytes = bytes.saturating_add(resource.bytes.unwrap_or(0).max(0));
            let sensitive = resource.labels.iter().any(|label| settings.is_sensitive(label));
            self.sensitive |= sensitive;
            // Models and tools stand in the event a second time.
            if at >= ITEMS_MAX || matches!(resource.kind.as_deref(), Some("model" | "tool")) {
                continue;
            }
            let Some(id) = resource.id.as_deref() else { continue };
            let key = RESOURCE.text(resource.kind.as_deref().unwrap_or_default()).text(id);
            self.resources.push((at, key.0));
            self.items.push(Item { place: Place::Resource(at), key, sensitive });
        }
        let tokens = view.ai.input_tokens.unwrap_or(0).max(0).saturating_add(view.ai.output_tokens.unwrap_or(0).max(0));
        self.sums = [rows, bytes / 1_024, tokens].map(|sum| u32::try_from(sum).unwrap_or(u32::MAX));
        let mut plain = |place: Place, key: Key| self.items.push(Item { place, key, sensitive: false });
        let value = |place: Place, text: &str| VALUE.number(place.dimension() as u64).text(text);
        if let Some(network) = view.actor.ip.as_deref().and_then(network_of) {
            plain(Place::Network, VALUE.number(Dimension::Network as u64).number(network));
        }
        for (place, text) in [(Place::Model, model_of(seen)), (Place::Tool, tool_of(seen))] {
            if let Some(text) = text {
                plain(place, value(place, text));
            }
        }
        for (at, person) in view.on_behalf_of.iter().enumerate().take(ITEMS_MAX) {
            if let Some(id) = person.id.as_deref() {
                plain(Place::Person(at), value(Place::Person(at), id));
            }
        }
        if let Some(program) = program_of(seen) {
            plain(Place::Program, value(Place::Program, program).number(1));
        }
    }
}

fn model_of<'s>(seen: &'s Seen<'_>) -> Option<&'s str> {
    seen.view.ai.request_model.as_deref()
}

/// The tool; of events without one, what the source calls what was done.
fn tool_of<'s>(seen: &'s Seen<'_>) -> Option<&'s str> {
    seen.view.ai.tool_name.as_deref().or(seen.view.operation.as_deref())
}

/// The application that reported it. Each start of the server counts as the same one.
fn program_of<'s>(seen: &'s Seen<'_>) -> Option<&'s str> {
    let source = &seen.view.source;
    match source.kind.as_deref() {
        Some(OWN_SOURCE_KIND) => Some(OWN_SOURCE_KIND),
        _ => source.id.as_deref(),
    }
}

/// The /24 or /48 of an address, as a number.
fn network_of(address: &str) -> Option<u64> {
    Some(match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits() >> 8),
        IpAddr::V6(address) => u64::try_from(address.to_bits() >> 80).unwrap_or(0) | 1 << 63,
    })
}

/// What stands at a place, for people.
pub(super) fn text_at(seen: &Seen<'_>, place: Place) -> String {
    let named = |text: Option<&str>| format!("`{}`", short(text.unwrap_or_default()));
    match place {
        Place::Resource(at) => seen.view.resources.get(at).map_or_else(String::new, resource_text),
        Place::Network => network_text(seen.view.actor.ip.as_deref().unwrap_or_default()),
        Place::Model => named(model_of(seen)),
        Place::Tool => named(tool_of(seen)),
        Place::Person(at) => named(seen.view.on_behalf_of.get(at).and_then(|person| person.id.as_deref())),
        Place::Program => named(program_of(seen)),
    }
}

/// Kind and id of a resource.
pub(super) fn resource_text(resource: &ResourceView<'_>) -> String {
    let kind = resource.kind.as_deref().unwrap_or("resource");
    format!("{} `{}`", short(kind), short(resource.id.as_deref().unwrap_or_default()))
}

fn network_text(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
        Err(_) => String::new(),
    }
}

/// At most 200 bytes of a text.
pub(super) fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(200)).unwrap_or(text)
}
