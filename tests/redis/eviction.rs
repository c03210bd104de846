//! A server that throws keys away when its memory is full is warned of.

use cogency_state::RedisBackend;
use cogency_state_tests::redis::RedisServer;
use cogency_state_tests::seen::Seen;

#[tokio::test]
async fn a_server_that_throws_keys_away_is_warned_of_and_no_other() {
    let server = RedisServer::start();
    for policy in ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl", "noeviction"] {
        server.run::<()>(&["CONFIG", "SET", "maxmemory-policy", policy]);
        let (seen, _guard) = Seen::on_this_thread();
        RedisBackend::connect(&server.url()).await.unwrap();
        let warned = seen.text().contains("`noeviction`");
        assert_eq!(warned, policy != "noeviction", "{policy}");
    }
}
