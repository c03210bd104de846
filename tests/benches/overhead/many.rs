//! Many keys at once.

use tokio::task::JoinSet;

/// How many keys are worked on at once, where it is many.
pub(crate) const KEYS: u32 = 64;

pub(crate) fn key(nth: u32) -> String {
    format!("user-{nth}")
}

/// Works on all keys at once, each in a task.
pub(crate) async fn on_all_keys<F>(act: impl Fn(String) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for nth in 0..KEYS {
        tasks.spawn(act(key(nth)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
}
