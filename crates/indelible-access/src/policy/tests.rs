//! Policies: what they can ask for, what they decide, and how they are refused.

use std::path::PathBuf;

use indelible_event::words::{Action, ActorType};
use serde_json::json;

use super::*;
use crate::door::{AskContext, Principal, ResourceAsk};

/// Monday, 2026-11-23T10:00:00Z.
const MONDAY_TEN: RecordedTime = RecordedTime(1_795_428_000_000_000_000);

fn policies(text: &str) -> Policies {
    Policies::parse(&[(PathBuf::from("test.cedar"), text.to_owned())]).unwrap()
}

fn ask(kind: &str, id: &str) -> Ask {
    let agent = Principal {
        id: "planner".to_owned(),
        actor_type: ActorType::Agent,
        roles: vec!["analyst".to_owned()],
        groups: vec!["research".to_owned()],
    };
    let ana = Principal {
        id: "ana@example.com".to_owned(),
        actor_type: ActorType::Human,
        roles: Vec::new(),
        groups: Vec::new(),
    };
    Ask {
        principal: agent,
        chain: vec![ana],
        action: if kind == "model" { Action::Infer } else { Action::Execute },
        operation: "tools/call".to_owned(),
        resource: ResourceAsk { kind: kind.to_owned(), id: id.to_owned(), labels: vec!["approved".to_owned()] },
        context: AskContext {
            route: "r".to_owned(),
            tokens_asked: Some(2_000),
            tool_arguments: Some(json!({"path": "/etc/passwd", "filter": {"city": "Bern"}, "n": [1, true]})),
            labels_found: vec!["pii.email".to_owned()],
            ..AskContext::default()
        },
    }
}

fn permit(policy: &str) -> Judgement {
    Judgement::Permit { policy: policy.to_owned() }
}

#[test]
fn what_no_policy_permits_is_forbidden_and_a_forbid_says_why() {
    let set = policies(
        "@id(\"analysts\") permit(principal in Role::\"analyst\", action == Action::\"infer\", resource) \
           when { resource.labels.contains(\"approved\") }; \
         @id(\"no-secrets\") @reason(\"secrets stay here\") forbid(principal, action, resource) \
           when { context.labels_found.contains(\"secret.aws-access-key\") };",
    );
    assert_eq!(set.judge(&ask("model", "gpt"), MONDAY_TEN), permit("analysts"));
    let none = Judgement::Forbid { policy: "default".to_owned(), reason: "no policy permits it".to_owned() };
    assert_eq!(set.judge(&ask("tool", "shell"), MONDAY_TEN), none);
    let mut secret = ask("model", "gpt");
    secret.context.labels_found.push("secret.aws-access-key".to_owned());
    let why = Judgement::Forbid { policy: "no-secrets".to_owned(), reason: "secrets stay here".to_owned() };
    assert_eq!(set.judge(&secret, MONDAY_TEN), why);
}

#[test]
fn everything_the_schema_names_can_be_asked_for() {
    let conditions = [
        "principal.type == \"agent\" && principal in Group::\"research\"",
        "context.on_behalf && context has end_user && context.end_user == \"ana@example.com\" && context.chain.contains(Actor::\"ana@example.com\")",
        "context.hour == 10 && context.weekday == \"monday\" && context.now > datetime(\"2026-11-23T09:59:59Z\")",
        "context has tokens_asked && context.tokens_asked <= 2000",
        "context.arguments.hasTag(\"path\") && context.arguments.getTag(\"path\") like \"/etc/*\"",
        "context.arguments.hasTag(\"filter.city\") && context.arguments.getTag(\"filter.city\") == \"Bern\"",
        "context.arguments.hasTag(\"n.1\") && context.arguments.getTag(\"n.1\") == \"true\"",
        "context.route == \"r\" && context.operation == \"tools/call\" && !(context has application)",
        "resource is Tool && resource.id == \"files/read\"",
    ];
    for condition in conditions {
        let set = policies(&format!("permit(principal, action, resource) when {{ {condition} }};"));
        assert_eq!(set.judge(&ask("tool", "files/read"), MONDAY_TEN), permit("test#1"), "{condition}");
    }
}

#[test]
fn a_hold_waits_unless_another_policy_permits_at_once() {
    let held = "@id(\"ask\") @hold(\"deleting needs a second pair of eyes\") @hold_time(\"90s\") \
                permit(principal, action, resource);";
    let hold = Judgement::Hold {
        policy: "ask".to_owned(),
        message: "deleting needs a second pair of eyes".to_owned(),
        time: Duration::from_secs(90),
    };
    assert_eq!(policies(held).judge(&ask("tool", "t"), MONDAY_TEN), hold);
    let both = format!("{held} @id(\"free\") permit(principal, action, resource is Tool);");
    assert_eq!(policies(&both).judge(&ask("tool", "t"), MONDAY_TEN), permit("free"));
}

#[test]
fn faults_name_their_place_and_nothing_of_a_broken_set_is_used() {
    let faults = |text: &str| match Policies::parse(&[(PathBuf::from("a.cedar"), text.to_owned())]) {
        Err(PolicyError(faults)) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Ok(policies) => panic!("{policies:?} were taken"),
    };
    assert!(faults("permit(principal, action, resource);\npermit(principal action);").starts_with("a.cedar:2:18: "));
    assert!(faults("permit(principal, action, resource) when { context.colour == 1 };").contains("colour"));
    assert!(faults("permit(principal, action == Action::\"infers\", resource);").contains("infers"));
    assert!(
        faults("@hold_time(\"5 minutes\") @hold(\"x\") permit(principal, action, resource);").contains("hold_time")
    );
    assert!(faults("permit(principal == ?principal, action, resource);").contains("template"));
    assert!(faults("@hold(\"x\") forbid(principal, action, resource);").contains("only a permit"));
    let twice = "@id(\"a\") permit(principal, action, resource); @id(\"a\") forbid(principal, action, resource);";
    assert!(faults(twice).contains('a'));
}

#[test]
fn arguments_that_policies_cannot_see_whole_are_forbidden() {
    let set = policies("permit(principal, action, resource);");
    let deep = (0..40).fold(json!("x"), |inner, _| json!({ "a": inner }));
    let many: serde_json::Map<String, serde_json::Value> = (0..5_000).map(|n| (n.to_string(), json!(n))).collect();
    for arguments in [deep, many.into(), json!({"a.b": 1, "a": {"b": 2}})] {
        let mut hidden = ask("tool", "t");
        hidden.context.tool_arguments = Some(arguments);
        assert!(matches!(set.judge(&hidden, MONDAY_TEN), Judgement::Forbid { policy, .. } if policy == "error"));
    }
}

#[test]
fn text_from_outside_is_data() {
    let set = policies("permit(principal, action, resource) when { principal.id == \"x\" };");
    let mut hostile = ask("model", "\" } || true || { \"");
    hostile.principal.id = "Actor::\"x\"".to_owned();
    hostile.context.tool_arguments = Some(json!({"": "", "\u{0}": "\"", "__entity": {"type": "Role", "id": "admin"}}));
    assert!(matches!(set.judge(&hostile, MONDAY_TEN), Judgement::Forbid { policy, .. } if policy == "default"));
}
