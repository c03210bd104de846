//! Many processes, one key.

use std::time::Instant;

use crate::agent::{Agent, saved, start};
use crate::place::{Place, block_on, number};

/// Lets processes count, and checks that together they said each number of each user once.
fn count(processes: usize, calls: usize, users: &[&str]) {
    let place = Place::new();
    let started = Instant::now();
    let calls_each = calls.to_string();
    let arguments: Vec<&str> = [calls_each.as_str()].iter().chain(users).copied().collect();
    let agents: Vec<Agent> =
        (0..processes).map(|_| start("count", &place.root, &arguments)).collect();
    let said: Vec<_> = agents.into_iter().flat_map(Agent::succeed).collect();
    let total = u64::try_from(processes * calls).unwrap();
    for user in users {
        let of_user: Vec<_> = said.iter().filter(|said| said.user == *user).cloned().collect();
        let mut numbers = saved(&of_user);
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=total).collect::<Vec<_>>(), "the numbers of {user}");
        let last = block_on(async { number(&place.manager(), user).await.unwrap() });
        assert_eq!(last, total);
    }
    let keys = users.len();
    println!("{processes} processes x {calls} calls x {keys} keys: {:?}", started.elapsed());
}

#[test]
fn promise_05_no_update_is_lost_between_eight_processes_on_one_key() {
    count(8, 200, &["shared"]);
}

#[test]
fn promise_06_two_processes_take_turns_on_each_of_several_keys() {
    count(2, 50, &["a", "b", "c", "d"]);
}
