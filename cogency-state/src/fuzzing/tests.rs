//! Each decoder over the corpus of its fuzzer, and over what chance makes of that.
//!
//! ```text
//! COGENCY_MUTANTS=1000000 cargo test -p cogency-state --release --all-features decoders
//! ```

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastrand::Rng;

use super::*;

/// So many of each decoder, unless told otherwise.
const MUTANTS: u32 = 3000;
/// What decoders take for more than a byte.
const TOKENS: [&[u8]; 12] = [
    b"18446744073709551615",
    b"9223372036854775808",
    b"-1",
    b"0",
    b"1e400",
    b"null",
    b"\"\"",
    b"[[[[[[[[",
    b"{\"a\":",
    b"\\u0000",
    b"\n",
    "\u{1f916}".as_bytes(),
];

type Decoder = fn(&[u8]);

fn decoders() -> Vec<(&'static str, Decoder)> {
    vec![
        ("change", change),
        ("history_row", history_row),
        ("rebuild", rebuild),
        ("envelope", envelope),
        ("spool_entry", spool_entry),
        #[cfg(target_os = "linux")]
        ("journal", journal),
        #[cfg(target_os = "linux")]
        ("journal_line", journal_line),
        #[cfg(feature = "archive")]
        ("archive_file", archive_file),
        #[cfg(feature = "archive")]
        ("archive_manifest", archive_manifest),
        #[cfg(feature = "redis")]
        ("redis_entry", redis_entry),
        #[cfg(feature = "redis")]
        ("redis_in_history", redis_in_history),
        #[cfg(feature = "redis")]
        ("redis_lease", redis_lease),
        #[cfg(feature = "redis")]
        ("redis_url", redis_url),
        #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
        ("database_url", database_url),
    ]
}

/// What is committed of the corpus of a fuzzer.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!seeds.is_empty(), "{name} has no corpus");
    seeds
}

fn decode(name: &str, decoder: Decoder, data: &[u8], seed: u64) {
    let decoded = catch_unwind(AssertUnwindSafe(|| decoder(data)));
    assert!(decoded.is_ok(), "{name}, seed {seed}: {:?}", String::from_utf8_lossy(data));
}

#[test]
fn all_decoders_take_all_of_their_corpus() {
    for (name, decoder) in decoders() {
        for data in corpus(name) {
            decode(name, decoder, &data, 0);
        }
    }
}

#[test]
fn all_decoders_take_whatever_chance_makes_of_their_corpus() {
    let mutants = std::env::var("COGENCY_MUTANTS").map_or(MUTANTS, |text| text.parse().unwrap());
    for (name, decoder) in decoders() {
        let seeds = corpus(name);
        for _ in 0..mutants {
            let seed = fastrand::u64(..);
            let data = mutant(&seeds, &mut Rng::with_seed(seed));
            decode(name, decoder, &data, seed);
        }
    }
}

/// One of some texts after a few accidents.
fn mutant(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut data = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..=rng.usize(..4) {
        let from = rng.usize(..=data.len());
        let to = (from + rng.usize(..20)).min(data.len());
        match rng.u8(..8) {
            0 => drop(data.drain(from..to)),
            1 => data.truncate(from),
            2 => drop(data.splice(from..from, [rng.u8(..)])),
            3 => drop(data.splice(from..to, TOKENS[rng.usize(..TOKENS.len())].iter().copied())),
            4 => drop(data.splice(from..to, part(seeds, rng))),
            5 => in_place_of_a_number(&mut data, from, rng),
            6 => data.extend(part(seeds, rng)),
            _ => data.iter_mut().skip(from).take(1).for_each(|byte| *byte ^= 1 << rng.u8(..8)),
        }
    }
    data
}

fn part(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let other = &seeds[rng.usize(..seeds.len())];
    let from = rng.usize(..=other.len());
    other[from..rng.usize(from..=other.len())].to_vec()
}

/// Another value for the next number.
fn in_place_of_a_number(data: &mut Vec<u8>, from: usize, rng: &mut Rng) {
    let Some(begin) = data[from..].iter().position(u8::is_ascii_digit) else { return };
    let begin = from + begin;
    let digits = data[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    data.splice(begin..begin + digits, TOKENS[rng.usize(..6)].iter().copied());
}
