//! What the plots show.

use super::numbers;
use super::plot::{self, Axis, Line, Panel};
use crate::contestant::{Contestant, Kind};
use crate::measure::{KB, PLOTTED};
use crate::media::{self, Medium};
use crate::results::{OnMedium, Results, Row};

/// Latency against the size of the state, a panel for each medium.
pub(super) fn latency(results: &Results) -> String {
    let points = |row: &Row| {
        let points = PLOTTED
            .into_iter()
            .filter_map(|bytes| Some((as_number(bytes as u64), row.latency(bytes).ok()?.median)));
        points.collect()
    };
    panels(results, points, |medium, lines| {
        let y = Axis::of_powers("a cycle", heights(&lines), numbers::time_in_short);
        Panel { title: medium.name.into(), x: sizes(), y, lines }
    })
}

/// Bytes written against turns, likewise.
pub(super) fn written(results: &Results) -> String {
    let points = |row: &Row| {
        let Some(Ok(written)) = &row.written else { return Vec::new() };
        let after = written.after.iter().filter(|(turns, bytes)| *turns > 0 && *bytes > 0);
        after.map(|&(turns, bytes)| (f64::from(turns), as_number(bytes))).collect()
    };
    panels(results, points, |medium, lines| {
        let y = Axis::of_powers("written", heights(&lines), numbers::bytes_in_short);
        Panel { title: medium.name.into(), x: turns(), y, lines }
    })
}

fn heights(lines: &[Line]) -> impl Iterator<Item = f64> + Clone {
    lines.iter().flat_map(|line| &line.points).map(|&(_, height)| height)
}

/// A panel for each medium that there are lines on.
fn panels(
    results: &Results,
    points: impl Fn(&Row) -> Vec<(f64, f64)>,
    panel: impl Fn(&Medium, Vec<Line>) -> Panel,
) -> String {
    let panels = media::ALL.into_iter().filter_map(|medium| {
        let lines = lines(medium, results.medium(medium.id)?, &points);
        (!lines.is_empty()).then(|| panel(medium, lines))
    });
    plot::svg(&panels.collect::<Vec<_>>())
}

/// Two lines of this library would be one.
fn is_shown(contestant: &Contestant) -> bool {
    contestant.kind != Kind::Ours || !contestant.name.ends_with("no history")
}

fn lines(
    medium: &Medium,
    on_medium: &OnMedium,
    points: impl Fn(&Row) -> Vec<(f64, f64)>,
) -> Vec<Line> {
    let contestants = medium.contestants.iter().chain(medium.writers);
    let lines = contestants.filter(|one| is_shown(one)).filter_map(|contestant| {
        let points = points(on_medium.row(contestant.name)?);
        Some(Line { name: contestant.name, kind: contestant.kind, points })
    });
    // This library lies on top.
    let mut lines: Vec<_> = lines.filter(|line| !line.points.is_empty()).collect();
    lines.sort_by_key(|line| line.kind == Kind::Ours);
    lines
}

fn turns() -> Axis {
    let ticks = (0..=500).step_by(100).map(|turns| (f64::from(turns), turns.to_string()));
    Axis { label: "turns", from: 0.0, to: 500.0, is_log: false, ticks: ticks.collect() }
}

fn sizes() -> Axis {
    let ticks = [(KB, "1 KB"), (16 * KB, "16 KB"), (256 * KB, "256 KB"), (4 << 20, "4 MB")];
    let ticks = ticks.map(|(bytes, name)| (as_number(bytes as u64), name.to_owned())).into();
    let [from, to] = [PLOTTED[0], PLOTTED[PLOTTED.len() - 1]].map(|bytes| as_number(bytes as u64));
    Axis { label: "size of the state", from, to, is_log: true, ticks }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn as_number(bytes: u64) -> f64 {
    bytes as f64
}
