//! The suite on the memory backend.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::conformance::{self, Harness};
use cogency_state::{MemoryBackend, StateBackend};

const TTL: Duration = Duration::from_millis(400);

struct Memory {
    backend: MemoryBackend,
    anew: fn() -> MemoryBackend,
}

impl Memory {
    fn new(anew: fn() -> MemoryBackend) -> Self {
        Self { backend: anew(), anew }
    }
}

#[async_trait]
impl Harness for Memory {
    async fn open(&self) -> Arc<dyn StateBackend> {
        Arc::new(self.backend.clone())
    }

    async fn restart(&self) -> Arc<dyn StateBackend> {
        Arc::new((self.anew)())
    }
}

mod without_ttl {
    use super::*;

    cogency_state::conformance_tests!(Memory::new(MemoryBackend::new));
}

mod with_ttl {
    use super::*;

    cogency_state::conformance_tests!(Memory::new(|| MemoryBackend::new().with_lease_ttl(TTL)));
}

#[tokio::test]
async fn a_report_shows_every_check() {
    let report = conformance::run(&Memory::new(MemoryBackend::new)).await;
    report.assert_passed();
    let shown = report.to_string();
    assert!(shown.contains("passed, 0 failed"), "{shown}");
    assert!(shown.contains("not applicable: a_lease_lasts_for_its_ttl: its leases do not run out"));
    assert_eq!(report.results().count(), conformance::checks().len());
    assert_eq!(
        report.passed().count() + report.not_applicable().count(),
        conformance::checks().len()
    );
}

mod with_an_attribute {
    // Would not even compile if the attribute did not reach every test.
    cogency_state::conformance_tests!(no_such_harness, #[cfg(any())]);
}
