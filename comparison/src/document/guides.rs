//! The tables of README and the guides, which stand there between two comments.

use std::fs;
use std::path::Path;

use super::numbers;
use super::tables::{line, told};
use crate::contestant::Outcome;
use crate::measure::{KEYS, SIZES};
use crate::media;
use crate::results::{Cell, Results, Row, Spread};

const OURS: &str = "cogency-state";
const BARE: &str = "cogency-state, no history";
const DATABASES: [&str; 3] = ["sqlite", "postgres", "mariadb"];

/// Writes each table anew where it stands.
pub(super) fn write(results: &Results, root: &Path) -> Outcome<()> {
    let calls = ["memory", "file", "sqlite", "redis", "postgres", "mariadb"];
    let rows = calls.map(|id| (id, OURS, name(id).to_owned()));
    fill(&root.join("README.md"), "calls", &against_floors(results, &rows, latency))?;

    let rows: Vec<_> = DATABASES.into_iter().flat_map(with_and_without_history).collect();
    let guide = root.join("docs/databases.md");
    fill(&guide, "calls", &against_floors(results, &rows, latency))?;
    fill(&guide, "saves in a second", &against_floors(results, &rows, rate))?;

    let guide = root.join("docs/redis.md");
    fill(&guide, "calls", &of_redis(results, latency))?;
    fill(&guide, "saves in a second", &of_redis(results, rate))
}

fn name(id: &str) -> &str {
    let name = media::ALL.iter().find(|medium| medium.id == id).map_or(id, |medium| medium.name);
    name.split(',').next().unwrap_or(name)
}

fn with_and_without_history(id: &'static str) -> [(&'static str, &'static str, String); 2] {
    let name = name(id);
    [(id, OURS, format!("{name}, with its history")), (id, BARE, format!("{name}, `history=off`"))]
}

/// A kind of figure.
struct Figure {
    of: fn(&Row, usize) -> Cell<Spread>,
    text: fn(f64) -> String,
    sizes: fn(&str) -> String,
}

fn latency() -> Figure {
    Figure { of: |row, bytes| row.latency(bytes), text: numbers::time, sizes: str::to_owned }
}

fn rate() -> Figure {
    Figure {
        of: |row, bytes| row.rate(bytes),
        text: numbers::significant,
        sizes: |size| format!("{KEYS} × {size}"),
    }
}

const NAMES_OF_SIZES: [&str; 3] = ["1 KB", "64 KB", "1 MB"];

/// `floor → call (ratio)`, a row for each contestant.
fn against_floors(
    results: &Results,
    rows: &[(&str, &str, String)],
    figure: fn() -> Figure,
) -> String {
    let figure = figure();
    let mut table = line("", NAMES_OF_SIZES.map(figure.sizes)) + "|---|---|---|---|\n";
    for (id, contestant, label) in rows {
        let floor = media::ALL.iter().find(|medium| medium.id == *id).map_or("", |m| m.floor);
        let cells = SIZES.map(|bytes| {
            let both = both(results, id, [floor, contestant], |row| (figure.of)(row, bytes));
            told(both.map(|[floor, call]| {
                let [from, to] = [floor, call].map(figure.text);
                format!("{from} → {to} ({:.2} ×)", call / floor)
            }))
        });
        table.push_str(&line(label, cells));
    }
    table
}

/// Against both of its floors, a row for each size.
fn of_redis(results: &Results, figure: fn() -> Figure) -> String {
    let figure = figure();
    let heads = ["by hand, `GET` + script", "a call", "", "by hand, `GET` + `SET`", "a call", ""];
    let mut table = line("states", heads.map(str::to_owned)) + "|---|---|---|---|---|---|---|\n";
    for (bytes, size) in SIZES.into_iter().zip(NAMES_OF_SIZES) {
        let cells = ["GET + compare-and-set script", "GET + SET"].into_iter().flat_map(|floor| {
            let both = both(results, "redis", [floor, OURS], |row| (figure.of)(row, bytes));
            match both {
                Ok([floor, call]) => {
                    let [from, to] = [floor, call].map(figure.text);
                    [from, to, format!("{:.2} ×", call / floor)]
                }
                Err(problem) => [told(Err(problem)), String::new(), String::new()],
            }
        });
        table.push_str(&line(&(figure.sizes)(size), cells));
    }
    table
}

/// The medians of two contestants.
fn both(
    results: &Results,
    id: &str,
    names: [&str; 2],
    of: impl Fn(&Row) -> Cell<Spread>,
) -> Cell<[f64; 2]> {
    let missing = || format!("{id} was not measured");
    let medium = results.media.iter().find(|medium| medium.id == id).ok_or_else(missing)?;
    let median = |name: &str| -> Cell<f64> {
        let row = medium.rows.iter().find(|row| row.name == name).ok_or_else(missing)?;
        Ok(of(row)?.median)
    };
    Ok([median(names[0])?, median(names[1])?])
}

/// Puts a table in the place of the one that a file has.
fn fill(file: &Path, name: &str, table: &str) -> Outcome<()> {
    let [begin, end] =
        ["", "end of "].map(|what| format!("<!-- {what}{name}, by comparison/run -->\n"));
    let text = fs::read_to_string(file)?;
    let nowhere = || format!("{} has no place for: {name}", file.display());
    let (before, rest) = text.split_once(&begin).ok_or_else(nowhere)?;
    let (_, after) = rest.split_once(&end).ok_or_else(nowhere)?;
    fs::write(file, format!("{before}{begin}\n{table}\n{end}{after}"))?;
    Ok(())
}
