//! Tables in Markdown.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::numbers;
use crate::aims::Aim;
use crate::contestant::{Contestant, Kind};
use crate::measure::{KB, KEYS, LARGE, SIZES};
use crate::media::{self, Medium};
use crate::results::{Cell, OnMedium, Results, Row, Spread};

/// Each aim with what was measured, and below it why those were missed that were.
pub(super) fn aims(aims: &[Aim], explained: &HashMap<String, String>) -> String {
    let mut table = String::from("| aim | measured | |\n|---|---|---|\n");
    let mut missed = String::new();
    for aim in aims {
        let reached = if aim.is_reached { "reached" } else { "**missed**" };
        let measured = told(aim.measured.clone());
        let _ = writeln!(table, "| {} | {measured} | {reached} |", aim.text);
        if !aim.is_reached {
            let why = explained.get(&aim.id).map_or("not explained yet.", String::as_str);
            let _ = writeln!(missed, "- {}: {why}", aim.text);
        }
    }
    format!("{table}\n{missed}")
}

/// The guarantees, the latencies and the rates of all on a medium.
pub(super) fn medium(results: &Results, medium: &Medium) -> String {
    let Some(on_medium) = results.medium(medium.id) else { return "Not measured.".into() };
    let about = match &on_medium.about {
        Ok(about) => about,
        Err(problem) => return format!("Not measured: {problem}"),
    };
    let [guarantees, latency, rate] =
        [guarantees(medium), latency(on_medium, medium), rate(on_medium, medium)];
    format!("On {about}.\n\n{guarantees}\n{latency}\n{rate}")
}

fn guarantees(medium: &Medium) -> String {
    let mut table = String::from(
        "| | one at a time | stale saves refused | damage found | history | a save survives |\n\
         |---|---|---|---|---|---|\n",
    );
    for contestant in medium.contestants {
        let all = contestant.guarantees;
        let [lease, version, checksum] =
            [all.lease, all.version, all.checksum].map(|holds| if holds { "yes" } else { "no" });
        let _ = writeln!(
            table,
            "| {} | {lease} | {version} | {checksum} | {} | {} |",
            name(contestant),
            all.history,
            all.survives
        );
    }
    table
}

fn latency(on_medium: &OnMedium, medium: &Medium) -> String {
    let mut table =
        String::from("| one key at a time | 1 KB | 64 KB | 1 MB | 8 MB |\n|---|---|---|---|---|\n");
    let sizes = SIZES.into_iter().chain([LARGE]);
    for (name, row) in rows(on_medium, medium) {
        let cells = sizes.clone().map(|bytes| cell(row, |row| row.latency(bytes), numbers::spread));
        table.push_str(&line(&name, cells));
    }
    table
}

fn rate(on_medium: &OnMedium, medium: &Medium) -> String {
    let mut table = format!(
        "| saves in a second | {KEYS} × 1 KB | {KEYS} × 64 KB | {KEYS} × 1 MB |\n|---|---|---|---|\n"
    );
    for (name, row) in rows(on_medium, medium) {
        let cells = SIZES.into_iter().map(|bytes| cell(row, |row| row.rate(bytes), numbers::rate));
        table.push_str(&line(&name, cells));
    }
    table
}

/// What all wrote and left, on each medium.
pub(super) fn written(results: &Results) -> String {
    let mut text = String::new();
    for medium in media::ALL {
        let Some(on_medium) = results.medium(medium.id) else { continue };
        let mut table = String::new();
        for contestant in medium.contestants.iter().chain(medium.writers) {
            let row = on_medium.row(contestant.name);
            let Some(written) = row.and_then(|row| row.written.clone()) else { continue };
            let cells = match written {
                Ok(all) => [
                    bytes(all.bytes),
                    share(all.bytes, all.last),
                    share(all.bytes, all.versions),
                    bytes(all.stored),
                    bytes(all.compacted),
                    share(all.compacted, all.last),
                ],
                Err(problem) => [problem.as_str(), "", "", "", "", ""].map(str::to_owned),
            };
            table.push_str(&line(&name(contestant), cells));
        }
        if !table.is_empty() {
            let _ = writeln!(
                text,
                "| {} | written | of what changed | of all versions | stored | compacted | of the last state |\n\
                 |---|---|---|---|---|---|---|\n{table}",
                medium.name
            );
        }
    }
    text
}

/// A save by this library's backends that are given both versions.
pub(super) fn own_parts(results: &Results) -> String {
    let mut table = String::from(
        "| a save | 1 KB | of that, the change | 8 MB | of that, the change |\n|---|---|---|---|---|\n",
    );
    for medium in media::ALL {
        let Some(on_medium) = results.medium(medium.id) else { continue };
        let cells = [KB, LARGE].into_iter().flat_map(|bytes| {
            let own = on_medium.own.iter().find(|own| own.bytes == bytes);
            let missing = || Err("not measured".to_owned());
            let save = own.map_or_else(missing, |own| own.save.clone().map(numbers::spread));
            let change = own.map_or_else(missing, |own| own.change.clone().map(numbers::time));
            [told(save), told(change)]
        });
        table.push_str(&line(medium.name, cells));
    }
    table
}

fn rows<'a>(
    on_medium: &'a OnMedium,
    medium: &Medium,
) -> impl Iterator<Item = (String, Option<&'a Row>)> {
    medium.contestants.iter().map(|contestant| (name(contestant), on_medium.row(contestant.name)))
}

/// This library stands out.
fn name(contestant: &Contestant) -> String {
    match contestant.kind {
        Kind::Floor => format!("by hand: {}", contestant.name),
        Kind::Ours => format!("**{}**", contestant.name),
        Kind::Peer => contestant.name.to_owned(),
    }
}

pub(super) fn line(name: &str, cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {name} | {} |\n", cells.join(" | "))
}

fn cell(
    row: Option<&Row>,
    of: impl Fn(&Row) -> Cell<Spread>,
    text: fn(Spread) -> String,
) -> String {
    told(row.map_or_else(|| Err("not measured".to_owned()), of).map(text))
}

/// What was measured, or why it was not.
pub(super) fn told(cell: Cell<String>) -> String {
    cell.unwrap_or_else(|problem| problem.replace(['\n', '|'], " "))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn bytes(bytes: u64) -> String {
    numbers::bytes(bytes as f64)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn share(part: u64, whole: u64) -> String {
    format!("{} ×", numbers::significant(part as f64 / whole as f64))
}
