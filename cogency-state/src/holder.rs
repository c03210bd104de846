//! Who is at work on a state.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// Who holds a lease, for messages. Nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// The process, by the id that its host gave it; 0 if it is not known.
    pub process: u32,
    /// The name of the host that it runs on; empty if it is not known.
    pub host: Cow<'static, str>,
    /// When it asked for the lease, by its own clock.
    pub since: SystemTime,
}

impl Holder {
    /// This process, now.
    #[must_use]
    pub fn current() -> Self {
        static PROCESS: OnceLock<(u32, String)> = OnceLock::new();
        let (process, host) = PROCESS.get_or_init(|| {
            (std::process::id(), gethostname::gethostname().to_string_lossy().into_owned())
        });
        Self { process: *process, host: host.as_str().into(), since: SystemTime::now() }
    }

    /// Somebody, where the backend cannot tell who.
    #[must_use]
    pub fn unknown() -> Self {
        Self { process: 0, host: "".into(), since: SystemTime::UNIX_EPOCH }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.process == 0 {
            return f.write_str("an unknown holder");
        }
        let Self { process, host, since } = self;
        let since = rfc3339::format(*since);
        write!(f, "process {process} on {host:?} (since {since})")
    }
}
