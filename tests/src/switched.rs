//! A backend in memory behind a switch: to the manager it is a server that can be out of reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cogency_state::{
    Aside, AsideId, BlobBackend, BlobId, Capabilities, Error, Holder, Lease, LeaseAttempt,
    MemoryBackend, Record, Sharing, StateBackend, StateKey, Write, WriteId,
};

/// How the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// It answers.
    Up,
    /// It is out of reach.
    Away,
    /// It does what it is asked to, and its answers are lost.
    Mute,
    /// It gets nothing, and nobody knows.
    Deaf,
    /// It gives leases and takes no saves: its connections are lost at those.
    Unsaving,
    /// It is out of reach, and whoever asks finds that out after [`TIMEOUT`].
    Silent,
}

const MODES: [Mode; 6] =
    [Mode::Up, Mode::Away, Mode::Mute, Mode::Deaf, Mode::Unsaving, Mode::Silent];

/// How long a client waits for an answer of a server that says nothing.
pub const TIMEOUT: Duration = Duration::from_secs(3);

/// A clone is the same server.
#[derive(Clone, Debug)]
pub struct Switched {
    records: MemoryBackend,
    location: Arc<str>,
    mode: Arc<AtomicU8>,
    asked: Arc<AtomicUsize>,
}

impl Default for Switched {
    fn default() -> Self {
        Self {
            records: MemoryBackend::new(),
            location: format!("switched:{}", WriteId::generate()).into(),
            mode: Arc::default(),
            asked: Arc::default(),
        }
    }
}

impl Switched {
    /// One that nobody ever reaches, the same for all processes.
    #[must_use]
    pub fn away() -> Self {
        let away = Self { location: "switched:away".into(), ..Self::default() };
        away.switch(Mode::Away);
        away
    }

    /// From now on it is so.
    pub fn switch(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// How often it was asked for something, also while it was away.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The same records without the switch, as somebody sees them whom it does not concern.
    #[must_use]
    pub fn direct(&self) -> MemoryBackend {
        self.records.clone()
    }

    /// The same server as somebody sees it who reaches it always.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { mode: Arc::default(), ..self.clone() }
    }

    /// Flips a bit of what is stored, and gives it as it is now; `None` if there is nothing whole,
    /// or somebody is at work on it. What is damaged is refused by its checksum, as on a real
    /// server; [`direct`](Self::direct) shows it.
    pub async fn damage(&self, key: &StateKey) -> Option<Record> {
        self.flip(key, true).await
    }

    /// Flips that bit back, as soon as nobody is at work on it.
    ///
    /// # Panics
    ///
    /// Where somebody still is after a minute.
    pub async fn mend(&self, key: &StateKey) {
        let mending = async {
            while self.is_damaged(key).await {
                self.flip(key, false).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let mended = tokio::time::timeout(Duration::from_secs(60), mending).await;
        assert!(mended.is_ok(), "somebody is at work on {key} and does not end");
    }

    async fn is_damaged(&self, key: &StateKey) -> bool {
        let found = self.records.load_state(key).await.unwrap();
        found.is_some_and(|record| !record.is_intact())
    }

    async fn flip(&self, key: &StateKey, if_intact: bool) -> Option<Record> {
        let found = self.records.load_state(key).await.ok()??;
        if found.is_intact() != if_intact {
            return None;
        }
        let attempt = self.records.acquire_lease(key, &Holder::current()).await.ok()?;
        let LeaseAttempt::Acquired(lease) = attempt else { return None };
        let flipped = flipped(found);
        let write = Write::new(flipped.clone(), Some(flipped.revision));
        let saved = self.records.save_state(&lease, &write).await;
        self.records.release_lease(&lease).await.ok()?;
        saved.ok().map(|()| flipped)
    }

    fn readable(&self, record: Record) -> Result<Record, Error> {
        let reason = "it is not what its checksum was made of";
        if record.is_intact() {
            return Ok(record);
        }
        Err(Error::corrupt(&record.key, &self.location, reason))
    }

    fn mode(&self) -> Mode {
        MODES[usize::from(self.mode.load(Ordering::SeqCst))]
    }

    async fn ask(&self, key: Option<&StateKey>, operation: &'static str) -> Result<Mode, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.mode() == Mode::Silent {
            tokio::time::sleep(TIMEOUT).await;
        }
        match self.mode() {
            mode @ (Mode::Up | Mode::Unsaving) => Ok(mode),
            mode @ (Mode::Mute | Mode::Deaf | Mode::Silent) if operation == "save" => Ok(mode),
            _ => Err(Error::out_of_reach(key, &self.location, operation, "it is switched off")),
        }
    }
}

/// The record with the bit in its middle flipped.
#[must_use]
pub fn flipped(mut record: Record) -> Record {
    let mut state = record.state.to_vec();
    let middle = state.len() / 2;
    if let Some(byte) = state.get_mut(middle) {
        *byte ^= 1;
    }
    record.state = state.into();
    record
}

#[async_trait]
impl StateBackend for Switched {
    fn location(&self) -> &str {
        &self.location
    }

    fn capabilities(&self) -> Capabilities {
        self.records.capabilities().with_sharing(Sharing::Network)
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        self.ask(Some(key), "lock").await?;
        self.records.acquire_lease(key, holder).await
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.ask(Some(lease.key()), "renew the lease of").await?;
        self.records.renew_lease(lease).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        // What is not given back runs out.
        let _ = self.records.release_lease(lease).await;
        self.ask(Some(lease.key()), "release").await.map(drop)
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        self.ask(Some(key), "load").await?;
        self.records.load_state(key).await?.map(|record| self.readable(record)).transpose()
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let (key, id) = (lease.key(), write.record.revision.write_id);
        let lost = || Error::outcome_unknown(key, &self.location, Some(id), "it said nothing");
        let mode = self.ask(Some(key), "save").await?;
        if let (Mode::Up, Some(found)) = (mode, self.records.load_state(key).await?) {
            self.readable(found)?;
        }
        match mode {
            Mode::Unsaving => {
                Err(Error::out_of_reach(Some(key), &self.location, "save", "it is switched off"))
            }
            Mode::Deaf | Mode::Silent => Err(lost()),
            Mode::Mute => {
                self.records.save_state(lease, write).await?;
                Err(lost())
            }
            _ => self.records.save_state(lease, write).await,
        }
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        self.ask(Some(lease.key()), "delete").await?;
        self.records.delete_state(lease).await
    }

    fn blobs(&self) -> Option<&dyn BlobBackend> {
        Some(self)
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        self.ask(None, "list").await?;
        self.records.list_states(user_id).await
    }

    async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        self.ask(Some(lease.key()), "set aside").await?;
        self.records.set_aside(lease, aside).await
    }

    async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        self.ask(None, "list what was set aside").await?;
        self.records.list_aside(user_id).await
    }

    async fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        self.ask(Some(key), "load what was set aside").await?;
        let found = self.records.load_aside(key, id).await?;
        found.map(|record| self.readable(record)).transpose()
    }

    async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        self.ask(Some(lease.key()), "restore").await?;
        self.records.restore_aside(lease, id).await
    }

    async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        self.ask(Some(key), "drop").await?;
        self.records.drop_aside(key, id).await
    }
}

#[async_trait]
impl BlobBackend for Switched {
    async fn save_blob(&self, lease: &Lease, id: BlobId, bytes: &Bytes) -> Result<(), Error> {
        self.ask(Some(lease.key()), "save a blob of").await?;
        self.records.save_blob(lease, id, bytes).await
    }

    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        self.ask(Some(key), "load a blob of").await?;
        self.records.load_blob(key, id).await
    }

    async fn list_blobs(&self, key: &StateKey) -> Result<Vec<BlobId>, Error> {
        self.ask(Some(key), "list the blobs of").await?;
        self.records.list_blobs(key).await
    }

    async fn check_readable(&self, key: &StateKey) -> Result<(), Error> {
        self.ask(Some(key), "read all of").await?;
        self.records.check_readable(key).await
    }

    async fn remove_blobs(&self, lease: &Lease, ids: &[BlobId]) -> Result<(), Error> {
        self.ask(Some(lease.key()), "remove blobs of").await?;
        self.records.remove_blobs(lease, ids).await
    }
}
