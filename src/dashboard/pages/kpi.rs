//! The few numbers that come first.

use super::figures;
use crate::traffic::Overview;

/// One of them.
#[derive(Debug)]
pub(super) struct Kpi {
    /// By what it is found.
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) text: String,
    /// The exact number.
    pub(super) value: String,
    pub(super) delta: Option<Delta>,
    /// Where more of it is told.
    pub(super) href: String,
}

/// What changed against the time before.
#[derive(Debug)]
pub(super) struct Delta {
    /// `good`, `bad` or `even`.
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// What more of it means.
#[derive(Clone, Copy)]
enum More {
    Neither,
    Bad,
}

impl Kpi {
    pub(super) fn of(overview: &Overview, links: [String; 6]) -> Vec<Self> {
        let before = overview.previous.as_ref();
        let total = overview.total_requests;
        let errors = figures::share(overview.error_request_count, total);
        let count = |number: i64| (figures::count(number), number.to_string());
        let p95 = overview.p95_ms.map_or(("–".to_owned(), String::new()), |ms| (figures::ms(ms), format!("{ms:.3}")));
        let told = [
            (
                "requests",
                "Requests",
                count(total),
                before.map(|before| relative(ratio(total), ratio(before.total_requests), More::Neither)),
            ),
            (
                "errors",
                "Error rate",
                (figures::percent(errors), format!("{errors:.6}")),
                before
                    .filter(|before| before.total_requests > 0 && total > 0)
                    .map(|before| points(errors - figures::share(before.error_request_count, before.total_requests))),
            ),
            (
                "p95",
                "p95 duration",
                p95,
                // No request is no quick one.
                before.filter(|_| total > 0).map(|before| relative(overview.p95_ms, before.p95_ms, More::Bad)),
            ),
            (
                "slow",
                "Slow",
                count(overview.slow_request_count),
                before.map(|before| {
                    relative(ratio(overview.slow_request_count), ratio(before.slow_request_count), More::Bad)
                }),
            ),
            (
                "users",
                "Unique users",
                count(overview.unique_users),
                before.map(|before| relative(ratio(overview.unique_users), ratio(before.unique_users), More::Neither)),
            ),
            (
                "active",
                "Active 5 min",
                count(overview.active_users_last_five_minutes),
                Some(Delta { kind: "even", text: "users, right now".to_owned() }),
            ),
        ];
        told.into_iter()
            .zip(links)
            .map(|((id, name, (text, value), delta), href)| Self { id, name, text, value, delta, href })
            .collect()
    }
}

/// None of nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn ratio(number: i64) -> Option<f64> {
    (number > 0).then_some(number as f64)
}

fn relative(now: Option<f64>, before: Option<f64>, more: More) -> Delta {
    let even = |text: &str| Delta { kind: "even", text: text.to_owned() };
    match (now, before) {
        (None, None) => even("none before either"),
        (Some(_), None) => even("none before"),
        (None, Some(_)) => Delta { kind: told(-1.0, more), text: "▼ −100 %, less".to_owned() },
        (Some(now), Some(before)) => {
            let change = (now / before - 1.0) * 100.0;
            let text = match change.abs() {
                small @ ..9.95 => format!("{small:.1} %"),
                large @ ..999.5 => format!("{large:.0} %"),
                _ => format!("{} times", figures::count(times(now / before))),
            };
            match change {
                ..-0.05 => Delta { kind: told(change, more), text: format!("▼ −{text}, less") },
                0.05.. => Delta { kind: told(change, more), text: format!("▲ +{text}, more") },
                _ => even("as before"),
            }
        }
    }
}

/// How many times more.
#[expect(clippy::cast_possible_truncation, reason = "a small number, and it saturates")]
fn times(ratio: f64) -> i64 {
    (ratio - 1.0).round() as i64
}

fn points(change: f64) -> Delta {
    let points = change * 100.0;
    let text = format!("{:.1}", points.abs());
    match points {
        ..-0.05 => Delta { kind: told(points, More::Bad), text: format!("▼ −{text} points, less") },
        0.05.. => Delta { kind: told(points, More::Bad), text: format!("▲ +{text} points, more") },
        _ => Delta { kind: "even", text: "as before".to_owned() },
    }
}

fn told(change: f64, more: More) -> &'static str {
    match more {
        More::Neither => "even",
        More::Bad if change > 0.0 => "bad",
        More::Bad => "good",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_its_sign_and_in_words() {
        for (now, before, kind, text) in [
            (Some(110.0), Some(100.0), "bad", "▲ +10 %, more"),
            (Some(99.0), Some(100.0), "good", "▼ −1.0 %, less"),
            (Some(100.0), Some(100.0), "even", "as before"),
            (Some(5_000.0), Some(1.0), "bad", "▲ +4,999 times, more"),
            (Some(1.0), None, "even", "none before"),
            (None, Some(1.0), "good", "▼ −100 %, less"),
        ] {
            let delta = relative(now, before, More::Bad);
            assert_eq!((delta.kind, delta.text.as_str()), (kind, text));
        }
        assert_eq!(relative(Some(2.0), Some(1.0), More::Neither).kind, "even");
        assert_eq!(points(0.012).text, "▲ +1.2 points, more");
    }
}
