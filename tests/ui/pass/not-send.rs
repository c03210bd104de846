//! A body that is not `Send` runs on one thread, as that of any async function.
use std::rc::Rc;

use cogency_state::{Error, robust};

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
async fn local(state: &mut u32, user_id: &str, rc: Rc<u32>) -> Result<Rc<u32>, Error> {
    let again = Rc::clone(&rc);
    tokio::task::yield_now().await;
    *state += *again;
    Ok(rc)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(*local("alice", Rc::new(3)).await?, 3);
    Ok(())
}
