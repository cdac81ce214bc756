//! `[[budget]]`: what may be used through gateways in a window of time.

use std::time::Duration;

use indelible_access::budget::{Budget, BudgetScope, WINDOW_MAX, WINDOW_MIN};

use super::Period;
use super::gateways::{amount, amount_text, name, word};
use super::keys::{ItemKey, Kind, item_key};
use super::values::{put, time_within};

/// Every key of a `[[budget]]`.
pub const BUDGET_KEYS: &[ItemKey<Budget>] = &[
    item_key("name", Kind::Text, |b| b.name.clone(), |b, t| put(&mut b.name, name(t))),
    item_key("scope", Kind::Text, |b| b.scope.word().to_owned(), |b, t| put(&mut b.scope, budget_scope(t))),
    item_key("value", Kind::Text, |b| b.value.clone(), |b, t| put(&mut b.value, name(t))),
    item_key("calls", Kind::Count, |b| number_text(b.calls), |b, t| put(&mut b.calls, number(t).map(Some))),
    item_key("tokens", Kind::Count, |b| number_text(b.tokens), |b, t| put(&mut b.tokens, number(t).map(Some))),
    item_key(
        "cost",
        Kind::Text,
        |b| b.cost_micros.map(amount_text).unwrap_or_default(),
        |b, t| put(&mut b.cost_micros, amount(t).map(Some)),
    ),
    item_key(
        "window",
        Kind::Text,
        |b| Period::seconds(b.window.as_secs()).to_string(),
        |b, t| put(&mut b.window, window(t)),
    ),
];

/// What each key alone cannot tell of budgets. One line a fault.
pub(super) fn budget_relations(budgets: &[Budget], fault: &mut dyn FnMut(&str, String)) {
    for (place, budget) in budgets.iter().enumerate() {
        let key = format!("budget.{}", budget.name);
        for (what, missing) in
            [("name", budget.name.is_empty()), ("value", budget.value.is_empty()), ("window", budget.window.is_zero())]
        {
            if missing {
                fault(&key, format!("`{what}` is missing"));
            }
        }
        if budget.calls.is_none() && budget.tokens.is_none() && budget.cost_micros.is_none() {
            fault(&key, "it limits nothing: set `calls`, `tokens` or `cost`".to_owned());
        }
        if budgets.iter().take(place).any(|other| other.name == budget.name) {
            fault(&key, format!("the name `{}` is taken", budget.name));
        }
    }
}

fn budget_scope(text: &str) -> Result<BudgetScope, String> {
    word(text, &BudgetScope::ALL.map(|scope| (scope, scope.word())))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number from 0"))
}

fn number_text(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn window(text: &str) -> Result<Duration, String> {
    time_within(text, WINDOW_MIN, WINDOW_MAX).map(|period| period.duration())
}
