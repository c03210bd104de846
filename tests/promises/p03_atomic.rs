//! 3. Atomic: a reader sees the record before or after a save, never a mixture.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::places::{key, on_every_backend};

const SAVES: u32 = 60;

/// A state of one number, many times over: `(number, copies)`.
type Copies = (u32, Vec<u32>);

on_every_backend! {
    async fn readers_see_whole_records_while_they_are_saved_over(place: Place) {
        let (writer, done) = (place.manager(), Arc::new(AtomicBool::new(false)));
        writer.save_state::<Copies>(&key("alice"), (0, vec![]), None).await.unwrap();
        let readers: Vec<_> = (0..3).map(|_| {
            let (reader, done) = (place.manager(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut newest = 0;
                while !done.load(Ordering::SeqCst) {
                    let loaded = reader.load_state::<Copies>(&key("alice")).await.unwrap().unwrap();
                    let (number, copies) = loaded.state;
                    assert_eq!(u64::from(number) + 1, loaded.revision.version);
                    assert!(number >= newest, "went back from {newest} to {number}");
                    assert!(copies.iter().all(|copy| *copy == number));
                    newest = number;
                }
            })
        }).collect();
        for number in 1..=SAVES {
            // Of very different lengths, so that a mixture would show.
            let copies = vec![number; if number % 2 == 0 { 50_000 } else { 10 }];
            let mut call = writer.begin::<Copies>(&key("alice")).await.unwrap();
            call.state = (number, copies);
            call.commit().await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}
