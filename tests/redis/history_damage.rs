//! Histories that somebody edited, cut or removed: that is found out, and nothing is made worse by it.

use std::time::Duration;

use cogency_state::{
    Aside, AsideReason, Error, Event, HistoryBackend, OnUnreadable, RedisBackend, Retention,
    StateBackend as _, StateManager,
};
use cogency_state_tests::redis::{fresh_prefix, shared};
use serde_json::{Value, json};

use crate::{in_history, key, lease};

/// Five saves of a large state, a delete, and two saves more; each is in its history.
struct Place {
    prefix: String,
    backend: RedisBackend,
}

/// An entry of a stream.
type Item = (String, String);

impl Place {
    async fn new() -> Self {
        let place = Self::empty();
        for number in 1..=5 {
            place.append(&format!("{number}").repeat(3000)).await.unwrap();
        }
        assert!(place.manager().delete_state(&key("alice")).await.unwrap());
        place.append("anew").await.unwrap();
        place.append("and again, and again, and again").await.unwrap();
        assert_eq!(place.backend.verify_history(&key("alice")).await.unwrap().entries, 8);
        place
    }

    fn empty() -> Self {
        let prefix = fresh_prefix();
        let builder = in_history(&shared().url(), &prefix);
        Self { backend: builder.history(Retention::All).build().unwrap(), prefix }
    }

    /// One whose states are under their keys.
    fn whole() -> Self {
        let prefix = fresh_prefix();
        let builder = RedisBackend::builder(&shared().url()).prefix(&*prefix);
        Self { backend: builder.history(Retention::All).build().unwrap(), prefix }
    }

    fn manager(&self) -> StateManager {
        crate::strict(self.backend.clone())
    }

    async fn append(&self, text: &str) -> Result<(), Error> {
        let mut call = self.manager().begin::<Vec<String>>(&key("alice")).await?;
        call.state.push(text.to_owned());
        call.commit().await.map(drop)
    }

    /// Another process.
    fn elsewhere(&self) -> StateManager {
        crate::strict(in_history(&shared().url(), &self.prefix).build().unwrap())
    }

    fn name(&self, what: &str) -> String {
        let record = format!("{}:state:alice:default", self.prefix);
        if what == "state" { record } else { format!("{}:{what}:{{{record}}}", self.prefix) }
    }

    fn items(&self, what: &str) -> Vec<Item> {
        let items: Vec<(String, Vec<String>)> =
            shared().run(&["XRANGE", &self.name(what), "-", "+"]);
        items.into_iter().map(|(id, mut fields)| (id, fields.pop().unwrap())).collect()
    }

    fn put(&self, what: &str, items: &[Item]) {
        let (name, field) = (self.name(what), if what == "history" { "entry" } else { "content" });
        shared().run::<()>(&["DEL", &name]);
        for (id, value) in items {
            shared().run::<()>(&["XADD", &name, id, field, value]);
        }
    }

    /// Changes a stream, asks where the history is broken, and undoes it.
    async fn without(&self, what: &str, change: impl FnOnce(&mut Vec<Item>)) -> Option<u64> {
        let before = self.items(what);
        let mut changed = before.clone();
        change(&mut changed);
        self.put(what, &changed);
        let found = self.broken_at().await;
        self.put(what, &before);
        assert_eq!(self.broken_at().await, None, "not undone");
        found
    }

    async fn broken_at(&self) -> Option<u64> {
        match self.backend.verify_history(&key("alice")).await {
            Ok(_) => None,
            Err(Error::HistoryBroken { sequence, .. }) => Some(sequence),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Makes the newest entry one that nobody can read.
    fn spoil_newest(&self) {
        let mut items = self.items("history");
        "spoilt".clone_into(&mut items.last_mut().unwrap().1);
        self.put("history", &items);
    }

    /// Removes the newest entry, as another program may.
    fn cut(&self) {
        let (newest, _) = self.items("history").pop().unwrap();
        shared().run::<()>(&["XDEL", &self.name("history"), &newest]);
    }

    /// All that stands under the record's key and its history's.
    fn all(&self) -> (Option<String>, Vec<Item>, Vec<Item>) {
        let document = shared().run(&["GET", &self.name("state")]);
        (document, self.items("history"), self.items("contents"))
    }
}

/// Another value of the same kind.
fn other(field: &str, value: &Value) -> Value {
    match (field, value) {
        ("hash" | "previous", _) => json!("1".repeat(64)),
        ("kind", _) => json!("note"),
        (_, Value::Number(number)) => json!(number.as_u64().unwrap() + 1),
        (_, Value::Bool(flag)) => json!(!flag),
        (_, Value::Object(fields)) => {
            fields.iter().map(|(field, value)| (field.clone(), other(field, value))).collect()
        }
        _ => json!("other"),
    }
}

#[tokio::test]
async fn an_entry_that_was_edited_is_found_whatever_its_field() {
    let place = Place::new().await;
    for nth in [0, 2, 5, 7] {
        let fields: Value = serde_json::from_str(&place.items("history")[nth].1).unwrap();
        for (field, value) in fields.as_object().unwrap() {
            let mut edited = fields.clone();
            edited[field] = other(field, value);
            let found = place.without("history", |items| items[nth].1 = edited.to_string()).await;
            let sequence = nth as u64 + 1;
            assert_eq!(found, Some(sequence), "`{field}` of {sequence}");
        }
    }
}

#[tokio::test]
async fn an_entry_that_was_removed_moved_or_put_in_is_found() {
    let place = Place::new().await;
    for (due, change) in [
        (1, (|items: &mut Vec<Item>| drop(items.remove(0))) as fn(&mut Vec<Item>)),
        (4, |items| drop(items.remove(3))),
        (1, |items| drop(items.drain(..5))),
        (2, |items| items[1].1 = items[2].1.clone()),
        (8, |items| items[7].1 = items[2].1.clone()),
    ] {
        assert_eq!(place.without("history", change).await, Some(due));
    }
    // What is gone from its end is no part of it any more; the state says so.
    let before = place.items("history");
    place.put("history", &before[..7]);
    let verified = place.backend.verify_history(&key("alice")).await.unwrap();
    assert!(!verified.is_current);
}

#[tokio::test]
async fn a_content_that_was_edited_or_removed_is_found() {
    let place = Place::new().await;
    let contents = place.items("contents");
    let sequence = |item: &Item| item.0.trim_end_matches("-0").parse::<u64>().unwrap();
    for (nth, item) in contents.iter().enumerate() {
        let due = Some(sequence(item));
        let edited = place.without("contents", |items| items[nth].1.push(' ')).await;
        assert_eq!(edited, due);
        assert_eq!(place.without("contents", |items| drop(items.remove(nth))).await, due);
    }
}

#[tokio::test]
async fn a_large_state_whose_history_lacks_something_is_corrupt_and_can_be_set_aside() {
    for what in ["history", "contents"] {
        let place = Place::empty();
        place.append(&"a".repeat(3000)).await.unwrap();
        place.append("b").await.unwrap();
        let (document, mut items) =
            (shared().run::<String>(&["GET", &place.name("state")]), place.items(what));
        items.remove(0);
        place.put(what, &items);
        let loaded = place.elsewhere().load_state::<Vec<String>>(&key("alice")).await;
        assert!(matches!(loaded, Err(Error::Corrupt { .. })), "{what}: {loaded:?}");
        let begun = place.elsewhere().begin::<Vec<String>>(&key("alice")).await;
        assert!(matches!(begun, Err(Error::Corrupt { .. })), "{what}");
        assert_eq!(shared().run::<String>(&["GET", &place.name("state")]), document);

        let backend = in_history(&shared().url(), &place.prefix).build().unwrap();
        let builder = crate::failing(backend).on_unreadable(OnUnreadable::Quarantine);
        let manager = builder.build();
        let mut call = manager.begin::<Vec<String>>(&key("alice")).await.unwrap();
        assert!(call.state.is_empty(), "{what}");
        call.state.push("anew".to_owned());
        call.commit().await.unwrap();
        let loaded = place.elsewhere().load_state::<Vec<String>>(&key("alice")).await;
        assert_eq!(loaded.unwrap().unwrap().state, ["anew"]);
        let asides = manager.quarantined().await.unwrap();
        let aside = asides.iter().find(|aside| aside.key == key("alice")).unwrap();
        let name = format!("{}:{}", place.name("aside"), aside.id);
        assert_eq!(shared().run::<String>(&["GET", &name]), document, "{what}");
    }
}

#[tokio::test]
async fn a_save_behind_an_entry_that_nobody_can_read_is_refused_and_a_delete_is_not() {
    let place = Place::empty();
    let whole = RedisBackend::builder(&shared().url()).prefix(&*place.prefix).build().unwrap();
    let whole = crate::strict(whole);
    whole.save_state(&key("alice"), vec!["a".to_owned()], None).await.unwrap();
    let found = whole.load_state::<Vec<String>>(&key("alice")).await.unwrap().unwrap().revision;
    whole.save_state(&key("alice"), vec!["b".to_owned()], Some(found)).await.unwrap();
    let before = shared().run::<String>(&["GET", &place.name("state")]);
    place.spoil_newest();
    let mut call = place.manager().begin::<Vec<String>>(&key("alice")).await.unwrap();
    call.state.push("c".to_owned());
    let error = call.commit().await.unwrap_err();
    assert!(matches!(error, Error::HistoryBroken { sequence: 2, .. }), "{error:?}");
    assert_eq!(shared().run::<String>(&["GET", &place.name("state")]), before);
    assert!(!error.to_string().contains("spoilt"), "{error}");

    assert!(place.manager().delete_state(&key("alice")).await.unwrap());
    place.append("anew").await.unwrap();
    let entries = place.backend.list_history(&key("alice"), None, 9).await.unwrap();
    assert_eq!((entries.len(), entries[0].sequence), (1, 1));
}

#[tokio::test]
async fn a_history_that_cannot_be_gone_on_with_is_set_aside_with_its_state_and_comes_back() {
    let place = Place::empty();
    place.append(&"a".repeat(3000)).await.unwrap();
    place.append("b").await.unwrap();
    place.spoil_newest();
    let (history, contents) = (place.items("history"), place.items("contents"));
    let held = lease(&place.backend, &key("alice")).await;
    let aside = Aside::new(key("alice"), AsideReason::Corrupt);
    assert!(place.backend.set_aside(&held, &aside).await.unwrap());
    assert!(place.backend.set_aside(&held, &aside).await.unwrap());
    assert!(place.items("history").is_empty() && place.items("contents").is_empty());

    // Not over another one.
    place.backend.release_lease(&held).await.unwrap();
    place.append("anew").await.unwrap();
    let held = lease(&place.backend, &key("alice")).await;
    assert!(place.backend.delete_state(&held).await.unwrap());
    let begun = place.backend.restore_aside(&held, aside.id).await.unwrap_err();
    assert!(begun.to_string().contains("another history has begun"), "{begun}");
    shared().run::<()>(&["DEL", &place.name("history"), &place.name("contents")]);
    assert!(place.backend.restore_aside(&held, aside.id).await.unwrap());
    assert_eq!((place.items("history"), place.items("contents")), (history, contents));
    place.backend.release_lease(&held).await.unwrap();

    // What is dropped leaves nothing.
    let held = lease(&place.backend, &key("alice")).await;
    let aside = Aside::new(key("alice"), AsideReason::Corrupt);
    assert!(place.backend.set_aside(&held, &aside).await.unwrap());
    assert!(place.backend.drop_aside(&key("alice"), aside.id).await.unwrap());
    assert!(
        shared().run::<Vec<String>>(&["KEYS", &format!("{}:*", aside_names(&place))]).is_empty()
    );
}

#[tokio::test]
async fn behind_a_newest_entry_that_was_removed_nothing_is_done_by_half() {
    for place in [Place::empty(), Place::whole()] {
        goes_on_behind_a_cut(&place).await;
    }
}

async fn goes_on_behind_a_cut(place: &Place) {
    for text in ["a", "b", "c"] {
        place.append(text).await.unwrap();
    }
    place.cut();
    let before = place.all();
    let saved = place.append("d").await;
    assert!(matches!(saved, Err(Error::HistoryBroken { sequence: 3, .. })), "{saved:?}");
    assert_eq!(place.all(), before);

    // What is set aside takes such a history along, and brings it back.
    let held = lease(&place.backend, &key("alice")).await;
    let aside = Aside::new(key("alice"), AsideReason::Corrupt);
    assert!(place.backend.set_aside(&held, &aside).await.unwrap());
    assert_eq!(place.all(), (None, Vec::new(), Vec::new()));
    assert!(place.backend.restore_aside(&held, aside.id).await.unwrap());
    assert_eq!(place.all(), before);

    // A delete removes it.
    assert!(place.backend.delete_state(&held).await.unwrap());
    assert_eq!(place.all(), (None, Vec::new(), Vec::new()));
    place.backend.release_lease(&held).await.unwrap();
    place.append("anew").await.unwrap();
    assert!(place.backend.verify_history(&key("alice")).await.unwrap().is_current);
}

#[tokio::test]
async fn neither_a_pruning_nor_what_comes_back_is_done_by_half_there() {
    let place = Place::new().await;
    let held = lease(&place.backend, &key("alice")).await;
    let aside = Aside::new(key("alice"), AsideReason::Corrupt);
    assert!(place.backend.set_aside(&held, &aside).await.unwrap());
    place.cut();
    let before = place.all();
    let pruned = place.backend.prune_history(&key("alice"), Retention::Versions(1)).await;
    assert!(matches!(pruned, Err(Error::HistoryBroken { sequence: 9, .. })), "{pruned:?}");
    let restored = place.backend.restore_aside(&held, aside.id).await;
    assert!(matches!(restored, Err(Error::HistoryBroken { sequence: 9, .. })), "{restored:?}");
    assert_eq!(place.all(), before);
    place.backend.release_lease(&held).await.unwrap();
}

#[tokio::test]
async fn nothing_is_built_on_an_entry_that_does_not_say_truly_where_it_stands() {
    let place = Place::empty();
    for text in [&"a".repeat(3000), "b", "c"] {
        place.append(text).await.unwrap();
    }
    let mut items = place.items("history");
    let edited = items[2].1.replace(r#""keyframe":1,"#, r#""keyframe":2,"#);
    assert_ne!(edited, items[2].1);
    items[2].1 = edited;
    place.put("history", &items);
    let before = place.all();
    let saved = place.elsewhere().begin::<Vec<String>>(&key("alice")).await.unwrap();
    assert_eq!(saved.state.len(), 3, "the state itself does not need that");
    let saved = saved.commit().await;
    assert!(matches!(saved, Err(Error::HistoryBroken { sequence: 3, .. })), "{saved:?}");
    assert_eq!(place.all(), before);
}

#[tokio::test]
async fn an_id_that_is_none_of_ours_is_damage() {
    let place = Place::empty();
    place.append("a").await.unwrap();
    shared().run::<String>(&["XADD", &place.name("history"), "2-7", "entry", "{}"]);
    assert_eq!(place.broken_at().await, Some(2));
    let saved = place.append("b").await;
    assert!(matches!(saved, Err(Error::HistoryBroken { sequence: 2, .. })), "{saved:?}");
    assert!(place.manager().delete_state(&key("alice")).await.unwrap());
    assert_eq!(place.all(), (None, Vec::new(), Vec::new()));
}

fn aside_names(place: &Place) -> String {
    place.name("aside").replace('[', "\\[")
}

#[tokio::test]
async fn where_a_history_was_removed_by_hand_who_knows_the_state_begins_it_anew() {
    let place = Place::empty();
    place.append(&"a".repeat(3000)).await.unwrap();
    place.append("b").await.unwrap();
    let mut call = place.manager().begin::<Vec<String>>(&key("alice")).await.unwrap();
    shared().run::<()>(&["DEL", &place.name("history")]);
    call.state.push("c".to_owned());
    call.commit().await.unwrap();
    let loaded = place.elsewhere().load_state::<Vec<String>>(&key("alice")).await.unwrap();
    assert_eq!(loaded.unwrap().state.len(), 3);
    let entries = place.backend.list_history(&key("alice"), None, 9).await.unwrap();
    let told: Vec<_> = entries.iter().map(|entry| (entry.sequence, entry.event.clone())).collect();
    assert_eq!(told, [(1, Event::Save)]);
    assert!(place.backend.verify_history(&key("alice")).await.unwrap().is_current);

    // Also where it was emptied.
    shared().run::<()>(&["XTRIM", &place.name("history"), "MAXLEN", "0"]);
    let held = lease(&place.backend, &key("alice")).await;
    assert!(place.backend.delete_state(&held).await.unwrap());
    place.backend.release_lease(&held).await.unwrap();
    place.append("anew").await.unwrap();
    assert!(place.backend.verify_history(&key("alice")).await.unwrap().is_current);
    let removed = place.backend.prune_history(&key("alice"), Retention::Age(Duration::ZERO)).await;
    removed.unwrap();
}

#[tokio::test]
async fn what_is_set_aside_and_does_not_say_what_it_was_is_told_before_blobs_go() {
    let place = Place::empty();
    let blobs = place.backend.blobs().unwrap();
    blobs.check_readable(&key("alice")).await.unwrap();
    shared().run::<()>(&["HSET", &place.name("aside"), "1", "?"]);
    let told = blobs.check_readable(&key("alice")).await;
    assert!(matches!(told, Err(Error::Corrupt { .. })), "{told:?}");
}
