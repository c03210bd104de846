//! What may stand behind the `?` of a URL.

use std::time::Duration;

use super::{Kind, wrong};
use crate::backend::keeps::{self, Keeps, LEGAL_BYTES};
use crate::backend::redis::RedisDurability;
use crate::error::Error;

/// The parameters that the client knows of.
const OF_CLIENT: [&str; 4] = ["db", "user", "pass", "protocol"];

/// What was found there.
#[derive(Default)]
pub(in crate::backend::redis) struct Options {
    pub(in crate::backend::redis) prefix: Option<String>,
    pub(in crate::backend::redis) lease_ttl: Option<Duration>,
    pub(in crate::backend::redis) durability: Option<RedisDurability>,
    pub(in crate::backend::redis) replicas: Option<u32>,
    pub(in crate::backend::redis) history: Option<Keeps>,
    pub(in crate::backend::redis) whole_up_to: Option<usize>,
    pub(super) sentinel_user: Option<String>,
    pub(super) sentinel_password: Option<String>,
}

impl Options {
    pub(super) fn take(&mut self, name: &str, value: &str, kind: Kind) -> Result<(), Error> {
        match name {
            "prefix" => self.prefix = Some(value.to_owned()),
            "lease_ttl" => {
                let ttl = humantime::parse_duration(value);
                self.lease_ttl =
                    Some(ttl.map_err(|_| unreadable(name, "a duration such as `5s`"))?);
            }
            "history" => {
                let keeps = Keeps::parse(value);
                self.history = Some(keeps.ok_or_else(|| unreadable(name, Keeps::LEGAL))?);
            }
            "whole" => {
                let whole = keeps::bytes(value);
                self.whole_up_to = Some(whole.ok_or_else(|| unreadable(name, LEGAL_BYTES))?);
            }
            "require" => {
                for word in value.split(',') {
                    self.require(word)?;
                }
            }
            "sentinel_user" if kind == Kind::Sentinel => {
                self.sentinel_user = Some(value.to_owned());
            }
            "sentinel_password" if kind == Kind::Sentinel => {
                self.sentinel_password = Some(value.to_owned());
            }
            "protocol" => {}
            name if kind == Kind::Unix && OF_CLIENT.contains(&name) => {}
            _ => return Err(wrong("has a parameter that does not exist")),
        }
        Ok(())
    }

    // Input: always, or replicas(2)
    fn require(&mut self, word: &str) -> Result<(), Error> {
        if let Some(durability) = RedisDurability::parse(word) {
            self.durability = Some(durability);
            return Ok(());
        }
        let number = word.strip_prefix("replicas(").and_then(|rest| rest.strip_suffix(')'));
        let replicas = number.and_then(|number| number.parse().ok()).filter(|count| *count > 0);
        let legal = "`always`, `everysec`, `sometimes`, `replicas(<number>)` or two of these with \
                     a comma";
        self.replicas = Some(replicas.ok_or_else(|| unreadable("require", legal))?);
        Ok(())
    }
}

fn unreadable(name: &str, what: &str) -> Error {
    wrong(&format!("has a `{name}` that is not {what}"))
}
