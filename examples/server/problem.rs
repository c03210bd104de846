//! What a client gets to see of an error.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cogency_state::Error;

/// An error, as an answer. The log gets all of it; clients have no use for where states are kept.
pub(crate) struct Problem(Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl Problem {
    fn told(&self) -> (StatusCode, String) {
        let (status, text) = match &self.0 {
            Error::InvalidKey { .. } => return (StatusCode::BAD_REQUEST, self.0.to_string()),
            Error::LeaseTimeout { .. } | Error::Conflict { .. } => {
                (StatusCode::CONFLICT, "somebody else is at work on this session: ask again")
            }
            Error::OutcomeUnknown { .. } => {
                (StatusCode::BAD_GATEWAY, "it is not known whether this turn was saved: look")
            }
            Error::Deadline { .. } => (StatusCode::GATEWAY_TIMEOUT, "it took too long: ask again"),
            error if error.is_outage() => {
                (StatusCode::SERVICE_UNAVAILABLE, "the states are out of reach: ask again later")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "this session cannot go on"),
        };
        (status, text.to_owned())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        tracing::warn!(error = %self.0, "a request failed");
        self.told().into_response()
    }
}
