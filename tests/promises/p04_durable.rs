//! 4. Durable: what was acknowledged survives. The power cuts are in `file_crash`.

use cogency_state::{Durability, RedisBackend, RedisDurability, Sharing, StateBackend as _};
use cogency_state_tests::redis::shared;

use crate::places::{Place, key};

#[tokio::test]
async fn memory_says_that_nothing_survives_the_process() {
    let capabilities = Place::memory().manager().backend().capabilities();
    assert_eq!(capabilities.durability, Durability::Process);
    assert_eq!(capabilities.sharing, Sharing::Process);
}

#[tokio::test]
async fn file_says_that_a_record_survives_a_power_cut() {
    let capabilities = Place::file().manager().backend().capabilities();
    assert_eq!(capabilities.durability, Durability::PowerCut);
    assert_eq!(capabilities.sharing, Sharing::Host);
}

#[tokio::test]
async fn redis_says_what_its_servers_configuration_gives() {
    // Connected later, it does not know yet.
    let capabilities = Place::redis().manager().backend().capabilities();
    assert_eq!(capabilities.durability, Durability::Restart);
    assert_eq!(capabilities.sharing, Sharing::Network);
    let connected = RedisBackend::connect(&shared().url()).await.unwrap();
    assert_eq!(connected.capabilities().durability, Durability::PowerCut);
    assert_eq!(connected.durability().await.unwrap(), Some(RedisDurability::Always));
}

#[test]
fn a_file_is_there_for_a_runtime_that_starts_after_the_first_has_ended() {
    let place = Place::file();
    for version in 1..=3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(async {
            let mut call = place.manager().begin::<u32>(&key("alice")).await.unwrap();
            call.state += 1;
            call.commit().await.unwrap()
        });
        assert_eq!(outcome.revision().version, version);
    }
}
