//! Where the files of an archive are, and what they are called.

use std::fs::{self, Permissions};
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::Stream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode};
use tokio::task::spawn_blocking;

use super::manifest::Manifest;
use super::problem::Problem;
use crate::blob::BlobId;
use crate::record::WriteId;
use crate::rfc3339;

/// What no manifest was written for in this time is of a run that was killed.
const ORPHANED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

const FILE: &str = ".jsonl.gz";
const MANIFEST: &str = ".manifest.json";
const DONE: &str = ".done";
const BLOBS: &str = "blobs";

/// An object store, and the folder in it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    /// The store, where it is a folder of this machine.
    local: Option<LocalFileSystem>,
}

/// What is in a place, by the names that files have in common.
pub(super) struct Listing {
    /// With a manifest, the oldest first.
    pub(super) sealed: Vec<String>,
    /// Those of them whose rows are all removed.
    done: Vec<String>,
    orphans: Vec<Path>,
}

impl Listing {
    pub(super) fn is_done(&self, name: &String) -> bool {
        self.done.contains(name)
    }
}

impl Place {
    pub(super) fn new(store: Arc<dyn ObjectStore>, folder: &str) -> Self {
        Self { store, folder: Path::from(folder), local: None }
    }

    /// In a folder of this machine, which keeps others out while a file is written.
    pub(super) fn on_disk(files: LocalFileSystem, folder: &str) -> Self {
        let local = Some(files.clone());
        Self { local, ..Self::new(Arc::new(files), folder) }
    }

    pub(super) fn location(&self) -> String {
        format!("archive:{}/{}", self.store, self.folder)
    }

    /// A name that sorts behind all earlier ones.
    pub(super) fn fresh_name() -> String {
        let now = rfc3339::format(SystemTime::now()).to_string();
        let now: String = now.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{now}-{}", WriteId::generate())
    }

    pub(super) fn file_name(name: &str) -> String {
        format!("{name}{FILE}")
    }

    pub(super) async fn write_file(&self, name: &str, content: Bytes) -> Result<(), Problem> {
        self.create(&format!("{name}{FILE}"), content).await
    }

    pub(super) async fn read_file(&self, name: &str) -> Result<Bytes, Problem> {
        self.read(&format!("{name}{FILE}")).await
    }

    pub(super) async fn write_manifest(
        &self,
        name: &str,
        manifest: &Manifest,
    ) -> Result<(), Problem> {
        self.create(&format!("{name}{MANIFEST}"), manifest.to_json()?.into()).await
    }

    pub(super) async fn read_manifest(&self, name: &str) -> Result<Manifest, Problem> {
        Manifest::parse(&self.read(&format!("{name}{MANIFEST}")).await?)
    }

    /// Notes that all rows of a file are removed.
    pub(super) async fn write_done(&self, name: &str) -> Result<(), Problem> {
        let path = self.folder.clone().join(format!("{name}{DONE}"));
        self.put(&path, Bytes::new(), PutMode::Overwrite).await
    }

    pub(super) async fn write_blob(&self, id: BlobId, bytes: Bytes) -> Result<(), Problem> {
        // Over one that is damaged.
        self.put(&self.blob(id), bytes, PutMode::Overwrite).await
    }

    pub(super) async fn read_blob(&self, id: BlobId) -> Result<Option<Bytes>, Problem> {
        match self.store.get(&self.blob(id)).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn blob(&self, id: BlobId) -> Path {
        self.folder.clone().join(BLOBS).join(id.digits())
    }

    async fn create(&self, name: &str, content: Bytes) -> Result<(), Problem> {
        let path = self.folder.clone().join(name);
        self.put(&path, content, PutMode::Create).await
    }

    async fn put(&self, path: &Path, content: Bytes, how: PutMode) -> Result<(), Problem> {
        self.store.put_opts(path, content.into(), how.into()).await?;
        let Some(local) = &self.local else { return Ok(()) };
        // `object_store` gives it the permissions that the process gives all its files.
        let file = local.path_to_filesystem(path)?;
        let changed =
            spawn_blocking(move || fs::set_permissions(file, Permissions::from_mode(0o600)));
        changed.await.map_err(|_| Problem::Stopped)?.map_err(Problem::Folder)
    }

    async fn read(&self, name: &str) -> Result<Bytes, Problem> {
        let path = self.folder.clone().join(name);
        Ok(self.store.get(&path).await?.bytes().await?)
    }

    pub(super) async fn list(&self) -> Result<Listing, Problem> {
        let objects = self.objects().await?;
        let named = |end: &str| {
            let names = objects.iter().filter_map(|object| object.location.filename());
            let mut names: Vec<_> =
                names.filter_map(|name| Some(name.strip_suffix(end)?.to_owned())).collect();
            names.sort_unstable();
            names
        };
        let (sealed, done) = (named(MANIFEST), named(DONE));
        let orphans = objects.iter().filter(|object| is_orphan(object, &sealed));
        let orphans = orphans.map(|object| object.location.clone()).collect();
        Ok(Listing { sealed, done, orphans })
    }

    /// Removes files that a killed run left without a manifest: their rows are where they were.
    pub(super) async fn sweep(&self, listing: &Listing) -> Result<(), Problem> {
        for orphan in &listing.orphans {
            self.store.delete(orphan).await?;
        }
        Ok(())
    }

    async fn objects(&self) -> Result<Vec<ObjectMeta>, Problem> {
        let mut listed = self.store.list(Some(&self.folder));
        let mut objects = Vec::new();
        while let Some(object) = poll_fn(|context| Pin::new(&mut listed).poll_next(context)).await {
            objects.push(object?);
        }
        Ok(objects)
    }
}

fn is_orphan(object: &ObjectMeta, sealed: &[String]) -> bool {
    let name = object.location.filename().and_then(|name| name.strip_suffix(FILE));
    let age = SystemTime::now().duration_since(object.last_modified.into());
    let is_old = age.is_ok_and(|age| age > ORPHANED_AFTER);
    is_old && name.is_some_and(|name| !sealed.iter().any(|sealed| sealed == name))
}
