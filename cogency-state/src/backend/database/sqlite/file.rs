//! The file that a database is in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

/// How long a connection waits for another that writes. It is asked again after that.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Of a new file: a save writes whole pages, and little changes in each.
const PAGE_BYTES: u32 = 1024;
/// What is in the log goes to its places when that has grown to so much, as by SQLite's defaults.
pub(super) const LOG_BYTES: i64 = 4 << 20;

/// How a file of ours is opened.
pub(in crate::backend::database) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(without_links(path))
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

/// The same for each way in which a path may be spelled.
pub(in crate::backend::database) fn location(path: &Path) -> String {
    let path = without_links(path);
    match path.to_str() {
        Some(path) => format!("sqlite:{path}"),
        None => format!("sqlite:{}", path.as_os_str().as_encoded_bytes().escape_ascii()),
    }
}

/// As much of a path as is there is followed to its end.
fn without_links(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let followed = path.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        let rest = path.strip_prefix(above).ok()?;
        Some(real.components().chain(rest.components()).collect())
    });
    followed.unwrap_or(path)
}

/// Makes the file if it is not there, for its owner alone, with the folders that lead to it. What
/// SQLite puts beside it has the same rights. When it makes its log there it syncs the folder, and
/// so the file's name in it.
pub(in crate::backend::database) fn make(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    #[cfg(unix)]
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    builder.create(folder)?;
    // A folder outlives a power cut when the one that it is in was synced.
    #[cfg(unix)]
    for above in missing.into_iter().filter_map(Path::parent) {
        std::fs::File::open(above)?.sync_all()?;
    }
    Ok(())
}
