//! Files of other people's among ours.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cogency_state::StateKey;

use crate::agent::start;
use crate::place::{Place, block_on, key, names, number, turn};

/// Puts files, folders and links below a folder that are none of ours.
fn plant(folder: &Path) -> Vec<PathBuf> {
    let files = ["README.md", "notes", ".hidden", "state.tmp", "state.x.tmp", "state.json~", "a~b"];
    for name in files {
        fs::write(folder.join(name), name).unwrap();
    }
    fs::create_dir(folder.join("Folder")).unwrap();
    fs::write(folder.join("Folder/state.json"), "not ours").unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    symlink("/nowhere", folder.join("link")).unwrap();
    let mut planted: Vec<_> = files.map(|name| folder.join(name)).into();
    planted.push(folder.join("Folder/state.json"));
    planted
}

#[test]
fn promise_11_foreign_files_are_left_alone_and_disturb_nothing() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        turn(&manager, "alice").await.unwrap();
        let folders = [place.root.clone(), place.root.join("alice"), place.folder("alice")];
        let planted: Vec<_> = folders.iter().flat_map(|folder| plant(folder)).collect();
        let contents = |path: &PathBuf| (path.clone(), fs::read(path).unwrap());
        let before: BTreeMap<_, _> = planted.iter().map(contents).collect();

        assert_eq!(number(&manager, "alice").await.unwrap(), 1);
        assert_eq!(turn(&manager, "alice").await.unwrap(), 2);
        assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
        for user in ["Folder", "empty", "README.md"] {
            assert_eq!(manager.list_states(user).await.unwrap(), [], "{user}");
        }
        // Where a user's folder would have to be.
        for user in ["notes", "link"] {
            let error = manager.list_states(user).await.unwrap_err().to_string();
            assert!(error.contains("not what belongs here"), "{error}");
        }
        // Whoever comes after a kill sweeps what was half written, and nothing else.
        let mut writer = start("write", &place.root, &["alice"]);
        writer.say(4);
        writer.kill();
        turn(&manager, "alice").await.unwrap();

        assert!(manager.delete_state(&key("alice")).await.unwrap());
        assert_eq!(manager.list_states("alice").await.unwrap(), []);
        assert_eq!(turn(&manager, "alice").await.unwrap(), 1);
        assert_eq!(planted.iter().map(contents).collect::<BTreeMap<_, _>>(), before);
    });
}

#[test]
fn promise_11_a_session_whose_name_a_foreign_file_has_taken_is_a_clear_error() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        turn(&manager, "alice").await.unwrap();
        fs::write(place.root.join("alice/notes"), "mine").unwrap();
        let taken = StateKey::new("alice", "notes").unwrap();
        let error = manager.save_state(&taken, 1, None).await.unwrap_err();
        assert!(error.to_string().contains("`notes` is a link, or not what belongs"), "{error}");
        assert_eq!(fs::read(place.root.join("alice/notes")).unwrap(), b"mine");
        assert_eq!(names(&place.root.join("alice")), ["default", "notes"]);
    });
}

#[test]
fn promise_06_a_lock_file_with_anything_in_it_can_be_taken() {
    let text = |token: u64, seconds: u64| {
        let since = format!(r#"{{"secs_since_epoch":{seconds},"nanos_since_epoch":0}}"#);
        let holder = format!(r#"{{"process":1,"host":"h","since":{since}}}"#);
        format!(r#"{{"token":{token},"holder":{holder}}}"#).into_bytes()
    };
    let contents = [
        Vec::new(),
        b"\0\xff".to_vec(),
        b"[]".to_vec(),
        vec![b'x'; 1 << 20],
        text(1, u64::MAX),
        text(u64::MAX, 0),
    ];
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        turn(&manager, "alice").await.unwrap();
        for (nth, contents) in (2..).zip(contents) {
            fs::write(place.folder("alice").join("lock"), contents).unwrap();
            assert_eq!(turn(&manager, "alice").await.unwrap(), nth);
        }
        assert_eq!(turn(&manager, "alice").await.unwrap(), 8);
    });
}
