//! Short names of errors: for fields and labels that take few values.

use crate::error::Error;

/// Which error it is, without what it says.
pub(crate) fn name_of(error: &Error) -> &'static str {
    match error {
        Error::InvalidKey { .. } => "invalid_key",
        Error::Conflict { .. } => "conflict",
        Error::LeaseTimeout { .. } => "lease_timeout",
        Error::LeaseLost { .. } => "lease_lost",
        Error::Reentrant { .. } => "reentrant",
        Error::OutcomeUnknown { .. } => "outcome_unknown",
        Error::Corrupt { .. } => "corrupt",
        Error::SchemaVersion { .. } => "schema_version",
        Error::StateType { .. } => "state_type",
        Error::StateVersion { .. } => "state_version",
        Error::NoMigration { .. } | Error::Migration { .. } => "migration",
        Error::Decode { .. } => "decode",
        Error::Encode { .. } => "encode",
        Error::OtherLlm { .. } | Error::LlmMigration { .. } => "llm",
        Error::Timeout { .. } => "timeout",
        Error::Deadline { .. } => "deadline",
        Error::NotSpooled { .. } => "not_spooled",
        error if error.is_outage() => "out_of_reach",
        Error::Backend { .. } => "backend",
        _ => "other",
    }
}
