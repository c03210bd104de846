//! Child processes that are forked while a key is held have copies of its open lock file, until
//! they run a program of their own.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use crate::agent::{saved, start};
use crate::place::{Place, block_on, key};
use cogency_state_tests::page::Page;

/// A copy of an open file of this process's, as a forked child has it.
fn copy_of_open_file(path: &std::path::Path) -> OwnedFd {
    let is_it = |fd: &fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|target| target == path);
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten().find(is_it).expect("it is open");
    let number = open.file_name().to_str().unwrap().parse().unwrap();
    let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    pidfd_getfd(this, number, PidfdGetfdFlags::empty()).unwrap()
}

#[test]
fn promise_06_a_released_key_is_free_although_a_child_process_inherited_the_open_lock() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        let mut call = manager.begin::<Page>(&key("alice")).await.unwrap();
        let inherited = copy_of_open_file(&place.folder("alice").join("lock"));
        call.state.turn();
        call.commit().await.unwrap();
        let started = Instant::now();
        let said = start("turn", &place.root, &["alice"]).succeed();
        assert_eq!(saved(&said), [2]);
        println!("the next process had the key after {:?}", started.elapsed());
        drop(inherited);
    });
}
