//! Budgets: how many calls, tokens and how much money an actor, role, application or model may use in a window of time.
//!
//! Windows are fixed: of an hour from the full hour, of a day from midnight UTC. A call is let through while there is something
//! left, and counted when it ends, so calls that run side by side can pass a limit by what they use together. Promises: memory
//! is bounded; what was counted is on the disk at each save and read at a start. Never: a limit that nobody is told of.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indelible_event::time::RecordedTime;
use rusqlite::{Connection, params};

use crate::door::{Ask, Spent};

/// Most budgets, and most values counted for one budget; of further values none is let through.
pub const BUDGETS_MAX: usize = 1_000;
const COUNTERS_MAX: usize = 100_000;
/// Shortest and longest window.
pub const WINDOW_MIN: Duration = Duration::from_secs(60);
/// Longest window.
pub const WINDOW_MAX: Duration = Duration::from_secs(366 * 86_400);

/// What a budget is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BudgetScope {
    /// The caller.
    #[default]
    Actor,
    /// The person at the end of the chain; the caller where there is none.
    EndUser,
    /// Each role of the caller.
    Role,
    /// The application.
    Application,
    /// The model or tool.
    Resource,
    /// The gateway's route.
    Route,
}

impl BudgetScope {
    /// Every scope.
    pub const ALL: [Self; 6] = [Self::Actor, Self::EndUser, Self::Role, Self::Application, Self::Resource, Self::Route];

    /// Its word in the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::EndUser => "end_user",
            Self::Role => "role",
            Self::Application => "application",
            Self::Resource => "model",
            Self::Route => "route",
        }
    }

    /// What of an ask it counts.
    fn values(self, ask: &Ask) -> Vec<&str> {
        match self {
            Self::Actor => vec![&ask.principal.id],
            Self::EndUser => vec![ask.chain.last().map_or(ask.principal.id.as_str(), |last| last.id.as_str())],
            Self::Role => ask.principal.roles.iter().map(String::as_str).collect(),
            Self::Application => ask.context.application.iter().map(String::as_str).collect(),
            Self::Resource => vec![&ask.resource.id],
            Self::Route => vec![&ask.context.route],
        }
    }
}

/// One budget.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Budget {
    /// Its name, in refusals and events.
    pub name: String,
    /// What it is counted by.
    pub scope: BudgetScope,
    /// For whom: a value, or `*` for each value by itself.
    pub value: String,
    /// Most calls.
    pub calls: Option<u64>,
    /// Most tokens.
    pub tokens: Option<u64>,
    /// Most money, in millionths of the price table's currency.
    pub cost_micros: Option<u64>,
    /// In how long.
    pub window: Duration,
}

/// A budget that is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// Which.
    pub budget: String,
    /// What is used up, how much there was, and when there is more.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counter {
    /// Which window since the epoch.
    window: i64,
    used: Spent,
    dirty: bool,
}

/// All budgets with what is used of them.
#[derive(Debug, Default)]
pub struct Budgets {
    budgets: Vec<Budget>,
    counters: Mutex<HashMap<(usize, String), Counter>>,
}

pub(crate) const CREATE: &str = "create table if not exists budgets (
    budget text not null,
    value  text not null,
    window integer not null,
    calls  integer not null,
    tokens integer not null,
    cost   integer not null,
    primary key (budget, value)
) strict;";

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Budgets {
    /// The budgets of the configuration, with what the file says is used of them.
    pub(crate) fn load(budgets: Vec<Budget>, connection: &Connection) -> Result<Self, rusqlite::Error> {
        connection.execute_batch(CREATE)?;
        let mut counters = HashMap::new();
        let mut statement = connection.prepare("select budget, value, window, calls, tokens, cost from budgets")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
            let Some(place) = budgets.iter().position(|budget| budget.name == name) else { continue };
            let count = |column: usize| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
            let used = Spent { calls: count(3)?, tokens: count(4)?, cost_micros: count(5)? };
            counters.insert((place, value), Counter { window: row.get(2)?, used, dirty: false });
        }
        Ok(Self { budgets, counters: Mutex::new(counters) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(usize, String), Counter>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn covering<'a>(&'a self, ask: &'a Ask) -> impl Iterator<Item = (usize, &'a Budget, &'a str)> {
        self.budgets.iter().enumerate().flat_map(move |(place, budget)| {
            let values = budget.scope.values(ask).into_iter();
            values
                .filter(|value| budget.value == "*" || budget.value == *value)
                .map(move |value| (place, budget, value))
        })
    }

    /// The first budget that leaves nothing for an ask at `now`.
    #[must_use]
    pub fn exceeded(&self, ask: &Ask, now: RecordedTime) -> Option<OverBudget> {
        if self.budgets.is_empty() {
            return None;
        }
        let counters = self.lock();
        self.covering(ask).find_map(|(place, budget, value)| {
            let window = window_of(budget, now);
            let counter = counters.get(&(place, value.to_owned()));
            if counter.is_none() && counters.len() >= COUNTERS_MAX {
                let reason = format!("the budget `{}` counts too many {}s already", budget.name, budget.scope.word());
                return Some(OverBudget { budget: budget.name.clone(), reason });
            }
            let used = counter.filter(|counter| counter.window == window).map(|counter| counter.used)?;
            let limits = [
                (budget.calls, used.calls, "calls", 1),
                (budget.tokens, used.tokens, "tokens", 1),
                (budget.cost_micros, used.cost_micros, "of cost", 1_000_000),
            ];
            let (limit, used, what, unit) = limits.into_iter().find_map(|(limit, used, what, unit)| {
                limit.filter(|limit| used >= *limit).map(|limit| (limit, used, what, unit))
            })?;
            let shown = |amount: u64| {
                if unit == 1 { amount.to_string() } else { format!("{}.{:02}", amount / unit, amount % unit / 10_000) }
            };
            let again = (window + 1).saturating_mul(seconds(budget.window));
            let reason = format!(
                "the budget `{}` of {} {what} for `{value}` is used up ({} used); there is more at {}",
                budget.name,
                shown(limit),
                shown(used),
                RecordedTime::from_unix_seconds(again).whole_seconds()
            );
            Some(OverBudget { budget: budget.name.clone(), reason })
        })
    }

    /// Counts what a call used.
    pub fn spend(&self, ask: &Ask, spent: Spent, now: RecordedTime) {
        if self.budgets.is_empty() {
            return;
        }
        let mut counters = self.lock();
        let places: Vec<_> = self
            .covering(ask)
            .map(|(place, budget, value)| (place, window_of(budget, now), value.to_owned()))
            .collect();
        for (place, window, value) in places {
            if counters.len() >= COUNTERS_MAX && !counters.contains_key(&(place, value.clone())) {
                counters.retain(|(place, _), counter| {
                    self.budgets.get(*place).is_some_and(|budget| counter.window == window_of(budget, now))
                });
            }
            let counter = counters.entry((place, value)).or_default();
            if counter.window != window {
                *counter = Counter { window, ..Counter::default() };
            }
            counter.used.calls = counter.used.calls.saturating_add(spent.calls);
            counter.used.tokens = counter.used.tokens.saturating_add(spent.tokens);
            counter.used.cost_micros = counter.used.cost_micros.saturating_add(spent.cost_micros);
            counter.dirty = true;
        }
    }

    /// Writes what has changed since the last time.
    pub(crate) fn save(&self, connection: &mut Connection) -> Result<(), rusqlite::Error> {
        let changed: Vec<(String, String, Counter)> = {
            let mut counters = self.lock();
            let dirty = counters.iter_mut().filter(|(_, counter)| counter.dirty);
            dirty
                .filter_map(|((place, value), counter)| {
                    counter.dirty = false;
                    Some((self.budgets.get(*place)?.name.clone(), value.clone(), *counter))
                })
                .collect()
        };
        if changed.is_empty() {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        for (budget, value, counter) in &changed {
            let used = counter.used;
            transaction.execute(
                "insert or replace into budgets (budget, value, window, calls, tokens, cost) values (?1, ?2, ?3, ?4, ?5, ?6)",
                params![budget, value, counter.window, number(used.calls), number(used.tokens), number(used.cost_micros)],
            )?;
        }
        transaction.commit()
    }
}

fn seconds(window: Duration) -> i64 {
    i64::try_from(window.as_secs().max(1)).unwrap_or(i64::MAX)
}

fn window_of(budget: &Budget, now: RecordedTime) -> i64 {
    now.0.div_euclid(1_000_000_000).div_euclid(seconds(budget.window))
}
