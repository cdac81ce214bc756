//! An ask as Cedar sees it: entities and a request. Never: text from outside read as Cedar.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Value,
};
use indelible_event::time::RecordedTime;

use crate::door::{Ask, Principal, ResourceAsk};

/// Most arguments, and how deep they may lie. A call with more is forbidden: what policies do not see could be what they forbid.
const ARGUMENTS_MAX: usize = 4_096;
const ARGUMENT_DEPTH_MAX: usize = 32;
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const NANOSECONDS_AN_HOUR: i64 = 3_600_000_000_000;

/// The names of the schema's types, read once.
pub(super) struct Names {
    actor: Option<EntityTypeName>,
    role: Option<EntityTypeName>,
    group: Option<EntityTypeName>,
    model: Option<EntityTypeName>,
    tool: Option<EntityTypeName>,
    thing: Option<EntityTypeName>,
    arguments: Option<EntityTypeName>,
    action: Option<EntityTypeName>,
}

impl Names {
    pub(super) fn new() -> Self {
        let name = |text: &str| EntityTypeName::from_str(text).ok();
        Self {
            actor: name("Actor"),
            role: name("Role"),
            group: name("Group"),
            model: name("Model"),
            tool: name("Tool"),
            thing: name("Thing"),
            arguments: name("Arguments"),
            action: name("Action"),
        }
    }

    /// The request and the entities it speaks of.
    pub(super) fn put(&self, ask: &Ask, now: RecordedTime) -> Result<(Request, Entities), String> {
        let mut entities = Vec::new();
        let principal = self.actor(&ask.principal, &mut entities)?;
        let mut chain = Vec::new();
        for one in &ask.chain {
            let uid = self.actor(one, &mut entities)?;
            chain.push(Value::new_entity_uid(uid));
        }
        let resource = self.resource(&ask.resource, &mut entities)?;
        let arguments = self.arguments(ask, &mut entities)?;
        let action = uid(&self.action, ask.action.as_str())?;
        let context = Context::from_pairs(context(ask, now, chain, arguments)).map_err(|error| error.to_string())?;
        // Validated when the policies were loaded; what is put together here is of the schema's making.
        let request = Request::new(principal, action, resource, context, None).map_err(|error| error.to_string())?;
        let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
        Ok((request, entities))
    }

    fn actor(&self, principal: &Principal, entities: &mut Vec<Entity>) -> Result<EntityUid, String> {
        let name = uid(&self.actor, &principal.id)?;
        // The same actor may stand twice in a chain; it is one entity.
        if entities.iter().any(|entity| entity.uid() == name) {
            return Ok(name);
        }
        let mut parents = Vec::new();
        for role in &principal.roles {
            parents.push(uid(&self.role, role)?);
        }
        for group in &principal.groups {
            parents.push(uid(&self.group, group)?);
        }
        let attributes = [
            ("id".to_owned(), Value::new_string(principal.id.clone())),
            ("type".to_owned(), Value::new_string(principal.actor_type.as_str().to_owned())),
            ("roles".to_owned(), texts(&principal.roles)),
            ("groups".to_owned(), texts(&principal.groups)),
        ];
        let parents: std::collections::HashSet<EntityUid> = parents.into_iter().collect();
        let entity = Entity::new(name.clone(), attributes.into(), parents).map_err(|error| error.to_string())?;
        entities.push(entity);
        Ok(name)
    }

    fn resource(&self, resource: &ResourceAsk, entities: &mut Vec<Entity>) -> Result<EntityUid, String> {
        let kind = match resource.kind.as_str() {
            "model" => &self.model,
            "tool" => &self.tool,
            _ => &self.thing,
        };
        let name = uid(kind, &resource.id)?;
        let mut attributes = vec![
            ("id".to_owned(), Value::new_string(resource.id.clone())),
            ("labels".to_owned(), texts(&resource.labels)),
        ];
        if !matches!(resource.kind.as_str(), "model" | "tool") {
            attributes.push(("kind".to_owned(), Value::new_string(resource.kind.clone())));
        }
        let entity = Entity::new(name.clone(), attributes.into_iter().collect(), Default::default());
        entities.push(entity.map_err(|error| error.to_string())?);
        Ok(name)
    }

    fn arguments(&self, ask: &Ask, entities: &mut Vec<Entity>) -> Result<EntityUid, String> {
        let name = uid(&self.arguments, "arguments")?;
        let mut tags = BTreeMap::new();
        if let Some(arguments) = &ask.context.tool_arguments {
            flatten(arguments, "", 0, &mut tags)?;
        }
        let tags = tags.into_iter().map(|(name, value)| (name, Value::new_string(value)));
        let entity = Entity::new_with_tags(name.clone(), [], [], tags).map_err(|error| error.to_string())?;
        entities.push(entity);
        Ok(name)
    }
}

fn uid(kind: &Option<EntityTypeName>, id: &str) -> Result<EntityUid, String> {
    let kind = kind.clone().ok_or("a type of the schema is missing")?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn texts(texts: &[String]) -> Value {
    Value::new_set(texts.iter().map(|text| Value::new_string(text.clone())))
}

fn context(ask: &Ask, now: RecordedTime, chain: Vec<Value>, arguments: EntityUid) -> Vec<(String, Value)> {
    let hours = now.0.div_euclid(NANOSECONDS_AN_HOUR);
    // The first of January 1970 was a Thursday.
    let weekday = (hours.div_euclid(24) + 3).rem_euclid(7);
    let weekday = usize::try_from(weekday).ok().and_then(|day| WEEKDAYS.get(day)).copied().unwrap_or_default();
    let milliseconds = now.to_string().get(..23).unwrap_or_default().to_owned();
    let given = &ask.context;
    let mut pairs = vec![
        ("route", Value::new_string(given.route.clone())),
        ("operation", Value::new_string(ask.operation.clone())),
        ("chain", Value::new_set(chain)),
        ("on_behalf", Value::new_bool(!ask.chain.is_empty())),
        ("hour", Value::new_long(hours.rem_euclid(24))),
        ("weekday", Value::new_string(weekday.to_owned())),
        ("now", Value::new_datetime(format!("{milliseconds}Z"))),
        ("arguments", Value::new_entity_uid(arguments)),
        ("labels_found", texts(&given.labels_found)),
    ];
    if let Some(application) = &given.application {
        pairs.push(("application", Value::new_string(application.clone())));
    }
    if let Some(purpose) = &given.purpose {
        pairs.push(("purpose", Value::new_string(purpose.clone())));
    }
    if let Some(last) = ask.chain.last() {
        pairs.push(("end_user", Value::new_string(last.id.clone())));
    }
    if let Some(tokens) = given.tokens_asked {
        pairs.push(("tokens_asked", Value::new_long(i64::try_from(tokens).unwrap_or(i64::MAX))));
    }
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `{"a": {"b": 1}, "c": [2]}` as `a.b` = `1`, `c.0` = `2`. Two arguments that would share a name are an error.
fn flatten(
    value: &serde_json::Value,
    path: &str,
    depth: usize,
    tags: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    use serde_json::Value as Json;
    if tags.len() >= ARGUMENTS_MAX || depth > ARGUMENT_DEPTH_MAX {
        return Err(format!("the tool's arguments are more than {ARGUMENTS_MAX}, or deeper than {ARGUMENT_DEPTH_MAX}"));
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let text = match value {
        Json::Object(members) => {
            return members.iter().try_for_each(|(name, value)| flatten(value, &below(name), depth + 1, tags));
        }
        Json::Array(items) => {
            let mut items = items.iter().enumerate();
            return items.try_for_each(|(place, value)| flatten(value, &below(&place.to_string()), depth + 1, tags));
        }
        Json::String(text) => text.clone(),
        Json::Null => "null".to_owned(),
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => number.to_string(),
    };
    match tags.insert(path.to_owned(), text) {
        Some(_) => Err(format!("two of the tool's arguments read as `{}`", path.escape_default())),
        None => Ok(()),
    }
}
