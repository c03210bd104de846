//! Ids that a careless file backend would trip over.

use std::collections::HashSet;

use cogency_state::{FileBackend, StateKey};

use crate::place::{Place, block_on, key, names, turn};

fn hostile_ids() -> Vec<String> {
    let mut ids: Vec<String> = [
        "..",
        ".",
        "...",
        "../..",
        "../../etc/passwd",
        "/",
        "/etc",
        "a/b",
        "a\\b",
        "a:b",
        "a_b",
        "a%2fb",
        "a%b",
        "%",
        "%2e%2e",
        "*",
        "?",
        "[a]l",
        "al",
        "alice",
        "Alice",
        "ALICE",
        "al*",
        "{a,b}",
        "~",
        "~root",
        "$HOME",
        "-rf",
        "a b",
        " a",
        "a ",
        "a.",
        "a",
        "\n",
        "\t",
        "\u{1}",
        "'",
        "\"",
        "`id`",
        ";",
        "&",
        "|",
        "con",
        "CON",
        "nul",
        "NUL.txt",
        "com1",
        "lpt9",
        "é",
        "e\u{301}",
        "E\u{301}",
        "\u{202e}txt.exe",
        "עברית",
        "ﬁ",
        "fi",
        "İ",
        "i̇",
        "ı",
        "ß",
        "ss",
        "日本語",
        "🚀",
        "\u{200d}",
        "\u{feff}",
        "@processes",
        "@",
        "state.json",
        "lock",
        "default",
        "state.tmp",
        "lost+found",
    ]
    .map(str::to_owned)
    .into();
    // Longer than a file's name may be, and different at their very ends only.
    for end in ["a", "b", "A"] {
        ids.push("x".repeat(300) + end);
        ids.push("é".repeat(511) + end);
        ids.push("/".repeat(1023) + end);
    }
    ids
}

#[test]
fn promise_11_hostile_users_have_records_of_their_own_inside_the_root() {
    let place = Place::new();
    let manager = place.manager();
    let ids = hostile_ids();
    block_on(async {
        for user in &ids {
            assert_eq!(turn(&manager, user).await.unwrap(), 1, "{user:?} is new");
        }
        for user in &ids {
            assert_eq!(turn(&manager, user).await.unwrap(), 2, "{user:?} has its own");
            assert_eq!(manager.list_states(user).await.unwrap(), [key(user)]);
        }
    });
    assert_eq!(names(place.outside()), ["state"]);
    let folders: HashSet<_> = names(&place.root).iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(folders.len(), ids.len(), "they differ also where letter case does not count");
}

#[test]
fn promise_11_hostile_sessions_are_listed_exactly() {
    let place = Place::new();
    let manager = place.manager();
    let sessions = hostile_ids();
    let mut keys: Vec<_> =
        sessions.iter().map(|session| StateKey::new("alice", session).unwrap()).collect();
    block_on(async {
        for (number, key) in keys.iter().enumerate() {
            manager.save_state(key, number, None).await.unwrap();
        }
        for (number, key) in keys.iter().enumerate() {
            let loaded = manager.load_state::<usize>(key).await.unwrap().unwrap();
            assert_eq!(loaded.state, number, "{key}");
        }
        keys.sort();
        assert_eq!(manager.list_states("alice").await.unwrap(), keys);
    });
    assert_eq!(names(&place.root), ["alice"]);
    assert_eq!(names(place.outside()), ["state"]);
}

#[test]
fn promise_11_hostile_processes_are_isolated_inside_the_root() {
    let place = Place::new();
    let isolated =
        |id: &str| cogency_state::StateManager::new(FileBackend::new(&place.root).isolated_as(id));
    block_on(async {
        for id in hostile_ids() {
            assert_eq!(turn(&isolated(&id), "alice").await.unwrap(), 1, "{id:?}");
        }
    });
    assert_eq!(names(place.outside()), ["state"]);
    assert_eq!(names(&place.root), ["@processes"]);
    assert_eq!(names(&place.root.join("@processes")).len(), hostile_ids().len());
}

#[test]
fn original_defect_a_colon_a_slash_and_an_underscore_shared_one_file() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        for user in ["a:b", "a/b", "a_b"] {
            assert_eq!(turn(&manager, user).await.unwrap(), 1, "{user}");
        }
    });
    assert_eq!(names(&place.root).len(), 3);
}

#[test]
fn original_defect_listing_a_user_showed_the_keys_of_others() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        for user in ["alice", "al", "a"] {
            turn(&manager, user).await.unwrap();
        }
        assert_eq!(manager.list_states("al").await.unwrap(), [key("al")]);
        for glob in ["*", "[a]l", "a?", "al*"] {
            assert_eq!(manager.list_states(glob).await.unwrap(), [], "{glob}");
        }
    });
}
