//! Records that were set aside: files beside the one that they were, in their key's folder.
//!
//! To set a record aside is to rename its file, as one step that a power cut undoes or leaves. What
//! is known about it is written before that, and removed after it: what stands alone says nothing.

use std::io::{self, Read, Write as _};

use bytes::Bytes;

use super::held::Held;
use super::root::{KeyFolder, Root};
use super::state_file::{self, NotReplaced, STATE_FILE};
use crate::aside::{Aside, AsideId};
use crate::disk::folder::Folder;
use crate::disk::names;
use crate::envelope;
use crate::error::Error;
use crate::key::{StateKey, valid_id};
use crate::record::{Record, version_of};

const PREFIX: &str = "aside-";
const ABOUT: &str = ".about";

const LIST: &str = "list what was set aside in";

fn record_name(id: AsideId) -> String {
    format!("{PREFIX}{id}.json")
}

fn about_name(id: AsideId) -> String {
    format!("{PREFIX}{id}{ABOUT}")
}

impl Root {
    pub(super) fn set_aside(&self, held: &Held, token: u64, aside: &Aside) -> Result<bool, Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), "set aside the record of", error);
        let mut inner = held.inner();
        let folder = self.folder_if_newest(key, token, inner.lock.as_ref())?.own;
        inner.seen = None;
        let name = record_name(aside.id);
        if folder.stat(&name).map_err(failed)?.is_none() {
            let is_there = folder.stat(STATE_FILE).map_err(failed)?.is_some();
            if !is_there || self.is_over(key, &folder, held.since()) {
                return Ok(false);
            }
            write_about(&folder, aside).map_err(failed)?;
            folder.rename(STATE_FILE, &name).map_err(failed)?;
        }
        // Moved for all to see, but a power cut may bring it back.
        let unsure = |error| Error::outcome_unknown(key, &self.location, None, error);
        folder.sync().map_err(unsure)?;
        Ok(true)
    }

    pub(super) fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let failed = |error| self.error(None, LIST, error);
        let Some(root) = self.open().map_err(failed)? else { return Ok(Vec::new()) };
        let user_names = match user_id {
            Some(user_id) => vec![names::folder_name(valid_id("user_id", user_id)?)],
            None => root.names().map_err(failed)?,
        };
        let mut asides = Vec::new();
        for user_name in user_names {
            if !names::is_name(&user_name) {
                continue;
            }
            let Some(user) = root.open_if_folder(&user_name).map_err(failed)? else { continue };
            for name in user.names().map_err(failed)? {
                let Some(own) = user.open_if_folder(&name).map_err(failed)? else { continue };
                let found = asides_in(&own).map_err(failed)?;
                asides.extend(found.into_iter().filter(|aside| {
                    names::folder_name(aside.key.user_id()) == user_name
                        && names::folder_name(aside.key.session_id()) == name
                }));
            }
        }
        asides.sort_by_cached_key(|aside| (aside.at.to_string(), aside.id));
        Ok(asides)
    }

    pub(super) fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        let failed = |error| self.error(Some(key), "load what was set aside of", error);
        let Some(KeyFolder { own, .. }) = self.folder_of(key).map_err(failed)? else {
            return Ok(None);
        };
        let Some(document) = read(&own, &record_name(id)).map_err(failed)? else {
            return Ok(None);
        };
        Record::from_json(key, &self.location, &document).map(Some)
    }

    pub(super) fn restore_aside(
        &self,
        held: &Held,
        token: u64,
        id: AsideId,
    ) -> Result<bool, Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), "restore what was set aside of", error);
        let mut inner = held.inner();
        let folder = self.folder_if_newest(key, token, inner.lock.as_ref())?;
        let name = record_name(id);
        let Some(document) = read(&folder.own, &name).map_err(failed)? else { return Ok(false) };
        if let found @ Some(_) = self.revision(held, &folder.own, inner.seen)? {
            return Err(Error::conflict(key, &self.location, 0, version_of(found)));
        }
        inner.seen = None;
        // Moved for all to see, but a power cut may undo it.
        let unsure = |error| Error::outcome_unknown(key, &self.location, None, error);
        self.sync_folders(&folder).map_err(failed)?;
        match envelope::decode(key, &document) {
            // It would be gone at once.
            Ok(decoded) if decoded.expires_at.is_some() => {
                let replaced = state_file::replace(&folder.own, &decoded.record, None);
                replaced.map_err(|error| match error {
                    NotReplaced::Failed(error) => failed(error),
                    NotReplaced::Unsure(error) => unsure(error),
                })?;
                folder.own.remove_file(&name).map_err(unsure)?;
            }
            _ => folder.own.rename(&name, STATE_FILE).map_err(failed)?,
        }
        folder.own.sync().map_err(unsure)?;
        folder.own.remove_file(&about_name(id)).map_err(unsure)?;
        Ok(true)
    }

    pub(super) fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        let failed = |error| self.error(Some(key), "delete what was set aside of", error);
        let Some(KeyFolder { root, user, own }) = self.folder_of(key).map_err(failed)? else {
            return Ok(false);
        };
        let was_there = own.remove_file(&record_name(id)).map_err(failed)?;
        own.sync().map_err(failed)?;
        own.remove_file(&about_name(id)).map_err(failed)?;
        // They may hold more.
        let _ = user.remove_empty_folder(&names::folder_name(key.session_id()));
        let _ = root.remove_empty_folder(&names::folder_name(key.user_id()));
        Ok(was_there)
    }
}

/// The file is on the disk, and its name too, before the record moves.
fn write_about(folder: &Folder, aside: &Aside) -> io::Result<()> {
    let name = about_name(aside.id);
    folder.remove_file(&name)?;
    let mut file = folder.create_new_file(&name)?;
    let text = aside.to_json().map_err(io::Error::other)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_data()?;
    folder.sync()
}

fn asides_in(folder: &Folder) -> io::Result<Vec<Aside>> {
    let mut asides = Vec::new();
    for name in folder.names()? {
        let Some(id) = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(ABOUT)) else {
            continue;
        };
        let Ok(id) = id.parse() else { continue };
        if folder.stat(&record_name(id))?.is_none() {
            continue;
        }
        let about = read(folder, &name)?.unwrap_or_default();
        let aside = Aside::from_json(&about).filter(|aside| aside.id == id);
        if aside.is_none() {
            tracing::warn!(name, "it does not say what was set aside");
        }
        asides.extend(aside);
    }
    Ok(asides)
}

fn read(folder: &Folder, name: &str) -> io::Result<Option<Bytes>> {
    let Some(mut file) = folder.open_file(name)? else { return Ok(None) };
    let mut contents = Vec::new();
    file.read_to_end(&mut contents)?;
    Ok(Some(contents.into()))
}
