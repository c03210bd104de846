//! Histories that somebody edited, cut or removed: found out, never made worse.

use cogency_state::{
    Error, HistoryBackend, Metadata, Moment, OnUnreadable, Record, RedisBackend, Revision,
    StateBackend as _, StateManager, Write,
};
use cogency_state_tests::redis::{fresh_prefix, shared};

use crate::{in_history, key, lease};
