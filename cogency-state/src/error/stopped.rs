//! Why a task did not come to its end, without what a panic said.

use tokio::task::JoinError;

use super::BoxError;

/// All that is told of a panic. Its message may quote a state: whoever wants it finds it where
/// panics are reported.
pub(crate) const PANICKED: &str = "it panicked";

/// Why a task did not come to its end.
pub(crate) fn stopped(error: JoinError) -> BoxError {
    if error.is_panic() { PANICKED.into() } else { error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn the_message_of_a_panic_is_not_repeated() {
        let error = tokio::spawn(async { panic!("hunter2") }).await.unwrap_err();
        let error = Error::backend(None, "memory:", "save", stopped(error));
        assert_eq!(error.to_string(), "memory: failed to save: it panicked");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
