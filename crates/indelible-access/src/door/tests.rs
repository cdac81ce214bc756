//! The door as a gateway meets it: halts, budgets, approvals, and policies that change.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tempfile::TempDir;

use super::*;
use crate::budget::BudgetScope;
use crate::hold::{Answer, AnswerError};

const HOUR: i64 = 3_600_000_000_000;

fn ask(caller: &str, model: &str) -> Ask {
    let principal = |id: &str, actor_type| Principal {
        id: id.to_owned(),
        actor_type,
        roles: vec!["analyst".to_owned()],
        groups: Vec::new(),
    };
    Ask {
        principal: principal(caller, ActorType::Agent),
        chain: vec![principal("ana@example.com", ActorType::Human)],
        action: Action::Infer,
        operation: "chat.completions".to_owned(),
        resource: ResourceAsk { kind: "model".to_owned(), id: model.to_owned(), labels: Vec::new() },
        context: AskContext { route: "openai".to_owned(), ..AskContext::default() },
    }
}

fn budget(name: &str, scope: BudgetScope, value: &str) -> Budget {
    let (name, value) = (name.to_owned(), value.to_owned());
    Budget { name, scope, value, window: Duration::from_secs(3_600), ..Budget::default() }
}

fn kind(decision: &Decision) -> Option<ForbidKind> {
    match decision {
        Decision::Forbid { kind, .. } => Some(*kind),
        _ => None,
    }
}

#[test]
fn a_halt_takes_effect_at_the_next_question_and_survives_a_restart() {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state.sqlite");
    let door = Door::open(&state, None, Vec::new()).unwrap();
    let now = RecordedTime(0);
    assert_eq!(door.decide(&ask("bot", "gpt"), now), Decision::Permit { policy: None });
    for (scope, value) in [
        (HaltScope::Route, "openai"),
        (HaltScope::Actor, "bot"),
        (HaltScope::Actor, "ana@example.com"),
        (HaltScope::Model, "gpt"),
    ] {
        let halt =
            Halt { scope, value: value.to_owned(), reason: "incident 7".to_owned(), by: "ops".to_owned(), since: 1 };
        door.halt(&halt).unwrap();
        let decision = door.decide(&ask("bot", "gpt"), now);
        assert!(matches!(&decision, Decision::Forbid { reason, .. } if reason.contains("incident 7")), "{decision:?}");
        let again = Door::open(&state, None, Vec::new()).unwrap();
        assert_eq!(kind(&again.decide(&ask("bot", "gpt"), now)), Some(ForbidKind::Halted));
        assert_eq!(door.resume(scope, value).unwrap(), halt);
        assert_eq!(kind(&door.decide(&ask("bot", "gpt"), now)), None);
    }
    assert!(matches!(door.resume(HaltScope::Tool, "x"), Err(HaltError::NotFound { .. })));
    let empty =
        Halt { scope: HaltScope::Tool, value: String::new(), reason: "r".to_owned(), by: "o".to_owned(), since: 1 };
    assert!(matches!(door.halt(&empty), Err(HaltError::Text)));
}

#[test]
fn a_budget_is_used_up_for_one_window_and_a_restart_does_not_refill_it() {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state.sqlite");
    let budgets = vec![
        Budget { tokens: Some(100), ..budget("each", BudgetScope::Actor, "*") },
        Budget { cost_micros: Some(2_500_000), ..budget("money", BudgetScope::EndUser, "ana@example.com") },
    ];
    let door = Door::open(&state, None, budgets.clone()).unwrap();
    let spent = Spent { calls: 1, tokens: 60, cost_micros: 0 };
    door.spent(&ask("bot", "gpt"), spent, RecordedTime(5 * HOUR));
    assert_eq!(kind(&door.decide(&ask("bot", "gpt"), RecordedTime(5 * HOUR))), None);
    door.spent(&ask("bot", "gpt"), spent, RecordedTime(5 * HOUR + 1));
    let decision = door.decide(&ask("bot", "gpt"), RecordedTime(5 * HOUR + 2));
    let expected =
        "the budget `each` of 100 tokens for `bot` is used up (120 used); there is more at 1970-01-01T06:00:00Z";
    assert!(matches!(&decision, Decision::Forbid { reason, .. } if reason == expected), "{decision:?}");
    assert_eq!(kind(&door.decide(&ask("other", "gpt"), RecordedTime(5 * HOUR + 2))), None);
    door.save_budgets().unwrap();
    let door = Door::open(&state, None, budgets).unwrap();
    assert_eq!(kind(&door.decide(&ask("bot", "gpt"), RecordedTime(6 * HOUR - 1))), Some(ForbidKind::OverBudget));
    assert_eq!(kind(&door.decide(&ask("bot", "gpt"), RecordedTime(6 * HOUR))), None);
    door.spent(&ask("x", "gpt"), Spent { calls: 1, tokens: 0, cost_micros: 2_500_000 }, RecordedTime(6 * HOUR));
    let decision = door.decide(&ask("y", "gpt"), RecordedTime(6 * HOUR));
    assert!(matches!(&decision, Decision::Forbid { reason, .. } if reason.contains("2.50 of cost")), "{decision:?}");
}

#[test]
fn somebody_else_approves_or_denies_and_nobody_for_oneself() {
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("a.cedar"),
        "@id(\"ask\") @hold(\"are you sure?\") permit(principal, action, resource);",
    )
    .unwrap();
    let door = Door::open(&folder.path().join("state.sqlite"), Some(folder.path()), Vec::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let mut polled = Context::from_waker(Waker::noop());
    for (approved, expected) in [(true, None), (false, Some(ForbidKind::HoldDenied))] {
        let Decision::Hold(hold) = door.decide(&ask("bot", "gpt"), RecordedTime(0)) else { panic!("no hold") };
        let id = hold.id.clone();
        let mut wait = pin!(door.wait(hold));
        assert!(wait.as_mut().poll(&mut polled).is_pending());
        assert_eq!(door.holds().list().len(), 1);
        let answer = |by: &str| Answer { approved, by: by.to_owned(), reason: "r".to_owned() };
        for own in ["bot", "ana@example.com"] {
            assert_eq!(door.holds().answer(&id, answer(own)), Err(AnswerError::Own { approver: own.to_owned() }));
        }
        assert_eq!(door.holds().answer(&id, answer("eve")).unwrap().message, "are you sure?");
        let Poll::Ready(decision) = wait.as_mut().poll(&mut polled) else { panic!("still waiting") };
        assert_eq!(kind(&decision), expected);
        if approved {
            assert_eq!(decision, Decision::Permit { policy: Some("ask, approved by eve".to_owned()) });
        }
        assert!(matches!(door.holds().answer(&id, answer("eve")), Err(AnswerError::NotFound { .. })));
    }
    let Decision::Hold(hold) = door.decide(&ask("bot", "gpt"), RecordedTime(0)) else { panic!("no hold") };
    {
        let id = hold.id.clone();
        let mut wait = pin!(door.wait(hold));
        assert!(wait.as_mut().poll(&mut polled).is_pending());
        let (scope, value) = (HaltScope::Model, "gpt".to_owned());
        let halt = Halt { scope, value, reason: "leak".to_owned(), by: "ops".to_owned(), since: 1 };
        door.halt(&halt).unwrap();
        door.holds().answer(&id, Answer { approved: true, by: "eve".to_owned(), reason: "r".to_owned() }).unwrap();
        let Poll::Ready(decision) = wait.as_mut().poll(&mut polled) else { panic!("still waiting") };
        assert_eq!(kind(&decision), Some(ForbidKind::Halted), "approved, and halted meanwhile");
        door.resume(HaltScope::Model, "gpt").unwrap();
    }
    let Decision::Hold(hold) = door.decide(&ask("bot", "gpt"), RecordedTime(0)) else { panic!("no hold") };
    {
        let mut wait = pin!(door.wait(hold));
        assert!(wait.as_mut().poll(&mut polled).is_pending());
    }
    assert!(door.holds().list().is_empty(), "a caller that went away waits no longer");
}

#[test]
fn changed_policies_are_taken_and_broken_ones_told_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.cedar");
    std::fs::write(&file, "permit(principal, action, resource);").unwrap();
    let door = Door::open(&folder.path().join("state.sqlite"), Some(folder.path()), Vec::new()).unwrap();
    assert!(matches!(door.reload_if_changed(), Reload::Unchanged));
    std::fs::write(&file, "permit(principal, action, resource) when { context.colour };").unwrap();
    assert!(matches!(door.reload_if_changed(), Reload::Refused(_)));
    assert!(matches!(door.reload_if_changed(), Reload::Unchanged));
    assert_eq!(kind(&door.decide(&ask("bot", "gpt"), RecordedTime(0))), None, "the old ones stay in force");
    std::fs::write(&file, "forbid(principal, action, resource);").unwrap();
    assert!(matches!(door.reload_if_changed(), Reload::Loaded { policies: 1, files: 1 }));
    assert_eq!(kind(&door.decide(&ask("bot", "gpt"), RecordedTime(0))), Some(ForbidKind::Policy));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(door.reload_if_changed(), Reload::Loaded { policies: 0, files: 0 }));
    assert_eq!(kind(&door.decide(&ask("bot", "gpt"), RecordedTime(0))), Some(ForbidKind::Policy), "none permits");
}
