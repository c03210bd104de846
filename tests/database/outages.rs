//! The server is killed and restarted while many processes use it.
//!
//! A long campaign, which prints its figures:
//! ```text
//! COGENCY_DATABASE_ROUNDS=20 cargo test -p cogency-state-tests --test database killed -- --nocapture
//! ```

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use cogency_state::{Error, Holder, LeaseAttempt, StateBackend as _};
use cogency_state_tests::database::{DatabaseServer, SqliteFile};

use crate::agents::{Watched, start};
use crate::ledgers::{Testimony, check};
use crate::{all_of, key, save};

const AGENTS: u64 = 8;
const CALLS: usize = 500;
/// The server is up for so long, more or less.
const UP: Duration = Duration::from_secs(3);
const AWAY: Duration = Duration::from_secs(1);
/// Nothing hangs.
const LONGEST: Duration = Duration::from_secs(300);

#[test]
fn eight_processes_lose_nothing_and_repeat_nothing_while_postgres_is_killed() {
    rounds(&DatabaseServer::postgres());
}

#[test]
fn eight_processes_lose_nothing_and_repeat_nothing_while_mariadb_is_killed() {
    rounds(&DatabaseServer::mariadb());
}

fn rounds(server: &DatabaseServer) {
    let rounds = std::env::var("COGENCY_DATABASE_ROUNDS").map_or(1, |text| text.parse().unwrap());
    for round in 0..rounds {
        let users: Vec<String> = (0..4).map(|user| format!("user-{round}-{user}")).collect();
        one_round(server, &users.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

fn one_round(server: &DatabaseServer, users: &[&str]) {
    // They begin in their rows, and are apart when they have grown. MariaDB lets nobody take a lease
    // until those of before it was started could be renewed.
    let url = format!("{}?whole=2KB&lease_ttl=500ms", server.url());
    let calls = CALLS.to_string();
    let agents: Vec<_> = (0..AGENTS)
        .map(|agent| {
            let agent = agent.to_string();
            let arguments = [&[agent.as_str(), &calls], users].concat();
            Watched::new(start("enter", &url, &arguments))
        })
        .collect();
    let started = Instant::now();
    let mut outages = 0;
    while !agents.iter().all(Watched::has_ended) {
        assert!(started.elapsed() < LONGEST, "the processes do not come to their end");
        thread::sleep(UP.mul_f64(0.5 + fastrand::f64()));
        server.kill();
        thread::sleep(AWAY.mul_f64(fastrand::f64()));
        server.start();
        outages += 1;
    }
    let told: Testimony = (0..).zip(agents.into_iter().map(Watched::succeed)).collect();
    let figures = check(&url, users, &told);
    for user in users {
        crate::history::is_whole(&url, user);
    }
    println!("{outages} outages in {:?}: {figures:?}", started.elapsed());
    assert_eq!(figures.acknowledged + figures.found, CALLS * told.len());
    assert!(outages > 2, "the server was hardly ever killed");
}

/// There is no server to kill: it is those who write.
#[test]
fn eight_processes_lose_nothing_and_repeat_nothing_on_sqlite_while_others_of_them_are_killed() {
    const KILLS: u64 = 24;
    // One process writes at a time there: so they make fewer calls, unless it is a campaign.
    let calls = std::env::var_os("COGENCY_DATABASE_ROUNDS").map_or(60, |_| CALLS);
    let file = SqliteFile::default();
    let url = format!("{}?lease_ttl=500ms", file.url());
    let users = ["user-0", "user-1", "user-2", "user-3"];
    let begin = |agent: u64| {
        let arguments = [agent.to_string(), calls.to_string()];
        let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(users).collect();
        (agent, Watched::new(start("enter", &url, &arguments)))
    };
    let mut agents: VecDeque<_> = (0..AGENTS).map(begin).collect();
    let mut told = Testimony::new();
    for next in AGENTS..AGENTS + KILLS {
        let (agent, killed) = agents.pop_front().unwrap();
        killed.wait_for_a_save();
        told.insert(agent, killed.kill());
        agents.push_back(begin(next));
    }
    told.extend(agents.into_iter().map(|(agent, watched)| (agent, watched.succeed())));
    let figures = check(&url, &users, &told);
    for user in users {
        crate::history::is_whole(&url, user);
    }
    println!("{KILLS} kills: {figures:?}");
    let ended = usize::try_from(AGENTS).unwrap() * calls;
    assert!(figures.acknowledged + figures.found >= ended, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_said_to_be_and_is_found_again_without_help() {
    for server in [DatabaseServer::postgres(), DatabaseServer::mariadb()] {
        let backend = cogency_state::DatabaseBackend::builder(&server.url())
            .connect_timeout(Duration::from_millis(500))
            .retry_for(Duration::from_millis(500))
            .lease_ttl(Duration::from_millis(500))
            .connect()
            .await
            .unwrap();
        save(&backend, &key("alice"), "1").await;
        server.kill();
        // PostgreSQL's processes answer for a moment after the one that started them was killed.
        let refused = async {
            loop {
                match backend.load_state(&key("alice")).await {
                    Ok(found) => assert_eq!(&*found.unwrap().state, b"1"),
                    Err(error) => break error,
                }
            }
        };
        let error = tokio::time::timeout(Duration::from_secs(30), refused).await.unwrap();
        let said = all_of(&error);
        assert!(matches!(error, Error::Backend { .. }), "{said}");
        assert!(said.contains("cannot be reached") || said.contains("was lost"), "{said}");
        server.start();
        let record = backend.load_state(&key("alice")).await.unwrap().unwrap();
        assert_eq!(&*record.state, b"1");
        // On MariaDB no lease is taken until those of before could be renewed.
        let holder = Holder::current();
        while let LeaseAttempt::Held(_) = backend.acquire_lease(&key("bob"), &holder).await.unwrap()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        save(&backend, &key("alice"), "2").await;
    }
}
