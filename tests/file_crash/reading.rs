//! A reader beside a writer.

use crate::agent::{Agent, span, start};
use crate::place::{Place, block_on, turn};

const SAVES: usize = 500;

#[test]
fn promise_03_a_reader_sees_only_whole_records_while_they_change() {
    let place = Place::new();
    block_on(async { turn(&place.manager(), "alice").await.unwrap() });
    let readers: Vec<Agent> = (0..2).map(|_| start("read", &place.root, &["alice"])).collect();
    let mut writer = start("write", &place.root, &["alice"]);
    let (saved, _) = span(1, &writer.say(2 * SAVES));
    drop(writer);
    for mut reader in readers {
        reader.line();
        reader.close();
        let line = reader.line();
        let mut counts = line.split(' ').skip(1).map(|count| count.parse::<u64>().unwrap());
        let (loads, changes) = (counts.next().unwrap(), counts.next().unwrap());
        println!("{saved} saves, {loads} loads saw {changes} records, each whole");
        assert!(changes > 100, "the reader was too slow: {line}");
        reader.succeed();
    }
}
