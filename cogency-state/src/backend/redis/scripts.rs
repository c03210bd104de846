//! What the server does as one step.
//!
//! A script names every key that it touches, and looks at everything that it could fail on before
//! it changes anything: it does all of its work or nothing. In a cluster the keys of one script are
//! all in one slot.

use std::sync::LazyLock;

/// A script, and the name that the server knows it by.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) source: &'static str,
    pub(super) hash: String,
}

impl Script {
    fn new(source: &'static str) -> Self {
        Self { source, hash: redis::Script::new(source).get_hash().to_owned() }
    }
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("scripts/", $file))));)*
    };
}

scripts! {
    TAKE_OVER = "take_over.lua";
    RENEW = "renew.lua";
    RELEASE = "release.lua";
    SAVE = "save.lua";
    DELETE = "delete.lua";
    NOTE = "note.lua";
    FORGET = "forget.lua";
    REMOVE = "remove.lua";
    SET_ASIDE = "set_aside.lua";
    RESTORE_ASIDE = "restore_aside.lua";
    DROP_ASIDE = "drop_aside.lua";
    PRUNE = "prune.lua";
    FORGET_HISTORY = "forget_history.lua";
    SAVE_BLOB = "save_blob.lua";
    KEEP_BLOBS = "keep_blobs.lua";
    EXPIRE_BLOBS = "expire_blobs.lua";
    REMOVE_BLOBS = "remove_blobs.lua";
}
