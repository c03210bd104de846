//! What this library aims at, and whether it was reached.

use crate::contestant::Kind;
use crate::measure::{KB, KEYS, LARGE, SIZES};
use crate::media::{self, Medium};
use crate::results::{Cell, OnMedium, Results, Row, Spread, Written};

const MB: usize = 1 << 20;
const OURS: &str = "cogency-state";

/// What a call on 1 KB took against the floor before saves cost what changed, measured by this
/// program with the library of then.
const BEFORE: [(&str, f64); 4] =
    [("sqlite", 1.78), ("redis", 1.15), ("postgres", 1.3), ("mariadb", 3.0)];

pub(crate) struct Aim {
    /// By which its explanation is found.
    pub(crate) id: String,
    pub(crate) text: String,
    /// What was measured; with a word on it where that says more.
    pub(crate) measured: Cell<String>,
    pub(crate) is_reached: bool,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    fn of_ratio(id: impl Into<String>, text: String, ratio: Cell<f64>, bound: Bound) -> Self {
        let is_reached = ratio.as_ref().is_ok_and(|&ratio| match bound {
            Bound::AtMost(most) => ratio <= most,
            Bound::AtLeast(least) => ratio >= least,
        });
        let measured = ratio.map(|ratio| format!("{ratio:.2} ×"));
        Self { id: id.into(), text, measured, is_reached }
    }
}

pub(crate) fn all(results: &Results) -> Vec<Aim> {
    let mut aims = of_files(results);
    aims.extend(of_servers(results));
    aims.extend(of_memory(results));
    aims.extend(of_writing(results));
    aims.extend(media::ALL.iter().map(|medium| own_part(results, medium)));
    aims.extend(media::ALL.iter().map(|medium| peers(results, medium)));
    aims
}

fn of_files(results: &Results) -> Vec<Aim> {
    let Some(medium) = medium("file") else { return Vec::new() };
    let text = |what: &str| format!("file, {what}, against {}", medium.floor);
    vec![
        Aim::of_ratio(
            "file-1kb",
            text("1 KB: at most 0.6 times the latency"),
            latency(results, medium, KB),
            Bound::AtMost(0.6),
        ),
        Aim::of_ratio(
            "file-1mb",
            text("1 MB: at most 0.75 times the latency"),
            latency(results, medium, MB),
            Bound::AtMost(0.75),
        ),
        Aim::of_ratio(
            "file-many",
            text(&format!("{KEYS} × 1 KB: at least 6 times the saves")),
            rate(results, medium, KB),
            Bound::AtLeast(6.0),
        ),
    ]
}

fn of_servers(results: &Results) -> Vec<Aim> {
    let mut aims = Vec::new();
    for (id, before) in BEFORE {
        let Some(medium) = medium(id) else { continue };
        let Medium { name, floor, .. } = medium;
        aims.push(Aim::of_ratio(
            format!("{id}-1mb"),
            format!("{name}, 1 MB: at most 0.7 times the latency of {floor}"),
            latency(results, medium, MB),
            Bound::AtMost(0.7),
        ));
        aims.push(Aim::of_ratio(
            format!("{id}-1kb"),
            format!("{name}, 1 KB: against {floor} no worse than before, {before:.2} times"),
            latency(results, medium, KB),
            Bound::AtMost(before),
        ));
    }
    if let Some(medium) = medium("sqlite") {
        aims.push(Aim::of_ratio(
            "sqlite-many",
            format!("SQLite, {KEYS} × 1 KB: at least 8 times the saves of a commit each"),
            rate(results, medium, KB),
            Bound::AtLeast(8.0),
        ));
    }
    aims
}

fn of_memory(results: &Results) -> Vec<Aim> {
    let Some(medium) = medium("memory") else { return Vec::new() };
    let of_size = |(bytes, name): (usize, &str)| {
        let text = format!("memory, {name}: at most 1.5 times a map of bytes");
        let id = format!("memory-{}", name.replace(' ', "").to_lowercase());
        Aim::of_ratio(id, text, latency(results, medium, bytes), Bound::AtMost(1.5))
    };
    SIZES.into_iter().zip(["1 KB", "64 KB", "1 MB"]).map(of_size).collect()
}

fn of_writing(results: &Results) -> Vec<Aim> {
    let mut aims = Vec::new();
    for medium in media::ALL.iter().filter(|medium| medium.id != "memory") {
        let Medium { id, name, .. } = medium;
        let written = ours(results, medium).and_then(written);
        let ratio = |of: fn(&Written) -> [u64; 2]| written.clone().map(|all| share(of(&all)));
        aims.push(if *id == "file" {
            Aim::of_ratio(
                "file-written",
                format!("{name}, 500 turns: at most 5 times the bytes that changed are written"),
                ratio(|all| [all.bytes, all.last]),
                Bound::AtMost(5.0),
            )
        } else {
            Aim::of_ratio(
                format!("{id}-written"),
                format!("{name}, 500 turns: at most 0.1 times all versions are written"),
                ratio(|all| [all.bytes, all.versions]),
                Bound::AtMost(0.1),
            )
        });
        aims.push(Aim::of_ratio(
            format!("{id}-stored"),
            format!("{name}, 500 turns: at most 3 times the last state is stored in the end"),
            ratio(|all| [all.compacted, all.last]),
            Bound::AtMost(3.0),
        ));
    }
    aims
}

fn own_part(results: &Results, medium: &Medium) -> Aim {
    let part = |bytes| {
        let own = &on(results, medium)?.own;
        let own = own.iter().find(|own| own.bytes == bytes).ok_or("not measured")?;
        let save = own.save.clone()?.median;
        // Of what is measured as a difference no less can be told than a hundredth.
        Ok((save - own.change.clone()?).max(save / 100.0))
    };
    let ratio: Cell<f64> = part(LARGE).and_then(|large| Ok(large / part(KB)?));
    let text = format!(
        "{}: the store's own part of a save at most 4 times from 1 KB to 8 MB",
        medium.name
    );
    Aim::of_ratio(format!("{}-own", medium.id), text, ratio, Bound::AtMost(4.0))
}

/// Ahead of each peer at each size.
fn peers(results: &Results, medium: &Medium) -> Aim {
    let mut behind = Vec::new();
    let mut compare = |what: String, of: &dyn Fn(&Row) -> Cell<f64>| -> Cell<()> {
        let ours = of(ours(results, medium)?)?;
        for peer in medium.contestants.iter().filter(|peer| peer.kind == Kind::Peer) {
            let Ok(theirs) = of(row(results, medium, peer.name)?) else { continue };
            if theirs > ours {
                behind.push(format!("{}, {what}: {:.2} ×", peer.name, ours / theirs));
            }
        }
        Ok(())
    };
    let compared = SIZES.into_iter().zip(["1 KB", "64 KB", "1 MB"]).try_for_each(
        |(bytes, name): (usize, &str)| {
            // Fewer seconds are more, too.
            compare(name.into(), &|row| Ok(1.0 / row.latency(bytes)?.median))?;
            compare(format!("{KEYS} × {name}"), &|row| Ok(row.rate(bytes)?.median))
        },
    );
    let is_reached = compared.is_ok() && behind.is_empty();
    let told =
        if behind.is_empty() { "ahead".into() } else { format!("behind {}", behind.join("; ")) };
    Aim {
        id: format!("{}-peers", medium.id),
        text: format!("{}: ahead of every peer at every size", medium.name),
        measured: compared.map(|()| told),
        is_reached,
    }
}

fn medium(id: &str) -> Option<&'static Medium> {
    media::ALL.into_iter().find(|medium| medium.id == id)
}

fn on<'a>(results: &'a Results, medium: &Medium) -> Cell<&'a OnMedium> {
    let found = results.medium(medium.id).ok_or("not measured")?;
    found.about.as_ref().map(|_| found).map_err(Clone::clone)
}

fn row<'a>(results: &'a Results, medium: &Medium, name: &str) -> Cell<&'a Row> {
    Ok(on(results, medium)?.row(name).ok_or("not measured")?)
}

fn ours<'a>(results: &'a Results, medium: &Medium) -> Cell<&'a Row> {
    row(results, medium, OURS)
}

fn written(row: &Row) -> Cell<Written> {
    row.written.clone().unwrap_or_else(|| Err("not measured".into()))
}

/// Of this library over that of the floor.
fn ratio(results: &Results, medium: &Medium, of: impl Fn(&Row) -> Cell<Spread>) -> Cell<f64> {
    let floor = of(row(results, medium, medium.floor)?)?;
    Ok(of(ours(results, medium)?)?.median / floor.median)
}

fn latency(results: &Results, medium: &Medium, bytes: usize) -> Cell<f64> {
    ratio(results, medium, |row| row.latency(bytes))
}

fn rate(results: &Results, medium: &Medium, bytes: usize) -> Cell<f64> {
    ratio(results, medium, |row| row.rate(bytes))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn share([part, whole]: [u64; 2]) -> f64 {
    part as f64 / whole as f64
}
