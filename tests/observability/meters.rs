//! Counters, gauges and histograms.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use cogency_state::{FileBackend, MemoryBackend, StateKey, StateManager};
use cogency_state_tests::redis::RedisServer;
use cogency_state_tests::seen;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tempfile::TempDir;

use crate::{Chat, Does, SECRET, call};

/// What a recorder of this thread was told: values by name and labels, as Prometheus writes them.
struct Told {
    snapshotter: Snapshotter,
    counted: BTreeMap<String, f64>,
}

impl Told {
    fn on(recorder: &DebuggingRecorder) -> Self {
        Self { snapshotter: recorder.snapshotter(), counted: BTreeMap::new() }
    }

    /// Looks again. A snapshot has what came since the last one.
    fn look(&mut self) {
        for (key, _unit, _text, value) in self.snapshotter.snapshot().into_vec() {
            let key = key.key();
            let mut labels: Vec<_> =
                key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            labels.sort();
            let told = self.counted.entry(format!("{}{{{}}}", key.name(), labels.join(",")));
            match value {
                #[expect(clippy::cast_precision_loss)]
                DebugValue::Counter(count) => *told.or_default() += count as f64,
                DebugValue::Gauge(value) => *told.or_default() = value.into_inner(),
                #[expect(clippy::cast_precision_loss)]
                DebugValue::Histogram(values) => *told.or_default() += values.len() as f64,
            }
        }
    }

    #[track_caller]
    fn assert(&self, expected: &[(&str, f64)]) {
        for (name, value) in expected {
            assert_eq!(self.counted.get(*name), Some(value), "{name} in {:#?}", self.counted);
        }
    }
}

#[tokio::test]
async fn calls_loads_and_saves_are_counted() {
    seen::listen();
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let manager = StateManager::new(MemoryBackend::new());
    for does in [Does::Succeed, Does::FailOnce, Does::Fail] {
        let _ = call(&manager, "alice", does).await;
    }
    call(&manager, "", Does::Succeed).await.unwrap_err();
    let key = StateKey::for_user("alice").unwrap();
    manager.save_state(&key, Chat::default(), None).await.unwrap_err();

    let mut told = Told::on(&recorder);
    told.look();
    told.assert(&[
        ("cogency_calls_total{function=chat,outcome=saved}", 2.0),
        ("cogency_calls_total{function=chat,outcome=failed}", 1.0),
        ("cogency_calls_total{error=invalid_key,function=chat,outcome=refused}", 1.0),
        ("cogency_attempts_total{function=chat}", 5.0),
        ("cogency_retries_total{function=chat}", 2.0),
        ("cogency_call_duration_seconds{function=chat}", 4.0),
        ("cogency_loads_total{backend=memory}", 4.0),
        ("cogency_load_duration_seconds{backend=memory}", 4.0),
        ("cogency_loaded_bytes{backend=memory}", 3.0),
        ("cogency_lease_wait_seconds{backend=memory}", 4.0),
        ("cogency_saves_total{backend=memory,outcome=saved}", 2.0),
        ("cogency_saves_total{backend=memory,outcome=conflict}", 1.0),
        ("cogency_save_duration_seconds{backend=memory}", 3.0),
        ("cogency_saved_bytes{backend=memory}", 3.0),
        ("cogency_conflicts_total{backend=memory}", 1.0),
    ]);
}

/// The names in the tables of the guide.
fn documented() -> BTreeSet<String> {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/observability.md");
    let guide = fs::read_to_string(guide).unwrap();
    let rows = guide.lines().filter(|line| !line.contains("::"));
    let rows = rows.filter_map(|line| line.strip_prefix("| `cogency_"));
    rows.map(|row| format!("cogency_{}", row.split('`').next().unwrap())).collect()
}

#[tokio::test]
async fn an_outage_is_seen_and_the_guide_names_all_that_is_measured() {
    seen::listen();
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (server, spool) = (RedisServer::start(), TempDir::new().unwrap());
    let backend = cogency_state::RedisBackend::connect(&server.url()).await.unwrap();
    let builder = StateManager::builder(backend).spool_dir(spool.path());
    let manager = builder.on_unreadable(cogency_state::OnUnreadable::Quarantine).build();
    call(&manager, "alice", Does::Succeed).await.unwrap();

    // What another type left makes room.
    let bob = StateKey::for_user("bob").unwrap();
    manager.save_state(&bob, vec![1_u32], None).await.unwrap();
    call(&manager, "bob", Does::Succeed).await.unwrap();

    // A call of another manager has to wait: to Redis that is another process.
    let held = manager.begin::<Chat>(&StateKey::for_user("carol").unwrap()).await.unwrap();
    let other = format!("{}?lease_ttl=5s", server.url().replace("127.0.0.1", "localhost"));
    let other = StateManager::connect(&other).await.unwrap();
    let waiting = call(&other, "carol", Does::Succeed);
    let (waited, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        held.rollback().await;
    });
    waited.unwrap();

    server.kill();
    call(&manager, "alice", Does::Succeed).await.unwrap();
    manager.health().await;
    let mut told = Told::on(&recorder);
    told.look();
    told.assert(&[
        ("cogency_calls_total{function=chat,outcome=spooled}", 1.0),
        ("cogency_saves_total{backend=redis,outcome=spooled}", 1.0),
        ("cogency_set_aside_total{backend=redis,reason=state_type}", 1.0),
        ("cogency_lease_waits_total{backend=redis}", 1.0),
        ("cogency_backend_away{backend=redis}", 1.0),
        ("cogency_spool_states{backend=redis,kind=pending}", 1.0),
        ("cogency_spool_states{backend=redis,kind=conflict}", 0.0),
    ]);
    assert!(told.counted["cogency_spool_bytes{backend=redis}"] > 0.0);

    server.restart();
    let begun = Instant::now();
    while !manager.health().await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is not replayed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let key = StateKey::for_user("alice").unwrap();
    manager.save_state(&key, Chat::default(), None).await.unwrap_err();
    told.look();
    told.assert(&[
        ("cogency_replays_total{backend=redis,outcome=saved}", 1.0),
        ("cogency_backend_away{backend=redis}", 0.0),
        ("cogency_spool_states{backend=redis,kind=pending}", 0.0),
    ]);

    let names = told.counted.keys().map(|name| name.split('{').next().unwrap().to_owned());
    assert_eq!(names.collect::<BTreeSet<_>>(), documented());
}

#[tokio::test]
async fn labels_hold_no_user_no_path_and_no_contents() {
    let dir = TempDir::new().unwrap();
    seen::listen();
    let recorder = DebuggingRecorder::new();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let manager = StateManager::new(FileBackend::new(dir.path()));
    for does in [Does::Succeed, Does::Fail] {
        let _ = call(&manager, "alice", does).await;
    }
    let mut told = Told::on(&recorder);
    told.look();
    told.assert(&[("cogency_saves_total{backend=file,outcome=saved}", 1.0)]);
    for name in told.counted.keys() {
        let folder = dir.path().to_str().unwrap();
        let is_private = [SECRET, "alice", folder].iter().any(|text| name.contains(text));
        assert!(!is_private, "{name}");
    }
}
