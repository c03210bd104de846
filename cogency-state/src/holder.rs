//! Who is at work on a state.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::OnceLock;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

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
        write!(f, "process {process} on {host:?}")?;
        // It may come out of a file, with a year that has no such form.
        let mut text = String::new();
        match write!(text, "{}", humantime::format_rfc3339_millis(*since)) {
            Ok(()) => write!(f, " (since {text})"),
            Err(fmt::Error) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_holder_is_shown_with_any_host_and_time() {
        let shown = |secs| {
            let since = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            Holder { process: 7, host: "a\nb".into(), since }.to_string()
        };
        assert_eq!(shown(0), r#"process 7 on "a\nb" (since 1970-01-01T00:00:00.000Z)"#);
        assert_eq!(shown(1 << 40), r#"process 7 on "a\nb""#);
    }
}
