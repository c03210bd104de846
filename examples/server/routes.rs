//! What can be asked for over HTTP.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cogency_state::{StateKey, StateManager, with_outcome};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chat::{Conversation, Turn, turn};
use crate::problem::Problem;

/// What every request may need.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) manager: StateManager,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) thinks: Duration,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
}

/// How many versions the history shows.
const SHOWN: usize = 50;

type Of = Path<(String, String)>;

pub(crate) fn all(server: Server) -> Router {
    Router::new()
        .route("/chat/{user}/{session}", post(ask).get(turns).delete(forget))
        .route("/chat/{user}/{session}/history", get(history))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(server)
}

/// An answer, and whether the turn waits on this server's disk because the backend is away.
#[derive(Serialize)]
struct Answered {
    #[serde(flatten)]
    turn: Turn,
    spooled: bool,
}

async fn ask(
    State(server): State<Server>,
    Path((user_id, session)): Of,
    Json(Asked { question }): Json<Asked>,
) -> Result<Json<Answered>, Problem> {
    let Server { manager, thinks, .. } = &server;
    let call = turn(manager, &user_id, &session, &question, *thinks);
    let (turn, outcome) = with_outcome(call).await;
    let spooled = outcome.is_some_and(|outcome| outcome.is_spooled());
    Ok(Json(Answered { turn: turn?, spooled }))
}

/// To look at a state is no call: nothing is held, nothing is saved.
async fn turns(
    State(server): State<Server>,
    Path((user_id, session)): Of,
) -> Result<Json<Vec<Turn>>, Problem> {
    let key = StateKey::new(user_id, session)?;
    let chat = server.manager.load_state::<Conversation>(&key).await?;
    Ok(Json(chat.map(|chat| chat.state.turns).unwrap_or_default()))
}

async fn history(
    State(server): State<Server>,
    Path((user_id, session)): Of,
) -> Result<(StatusCode, Json<Value>), Problem> {
    if !server.manager.backend().capabilities().history {
        let why = json!("no history is kept here: start me with `--state file:..` or `sqlite:..`");
        return Ok((StatusCode::NOT_IMPLEMENTED, Json(why)));
    }
    let key = StateKey::new(user_id, session)?;
    let entries = server.manager.history(&key).list(None, SHOWN).await?;
    let shown = entries.iter().map(|entry| {
        json!({ "version": entry.version, "event": entry.event.to_string(), "bytes": entry.size })
    });
    Ok((StatusCode::OK, Json(shown.collect())))
}

async fn forget(
    State(server): State<Server>,
    Path((user_id, session)): Of,
) -> Result<StatusCode, Problem> {
    let key = StateKey::new(user_id, session)?;
    let was_there = server.manager.delete_state(&key).await?;
    Ok(if was_there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

/// For a readiness probe: whether states reach their backend. While they do not, turns go on where
/// that is safe, and this says how much is waiting.
async fn health(State(server): State<Server>) -> (StatusCode, Json<Value>) {
    let health = server.manager.health().await;
    let status = if health.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let told = json!({
        "ok": health.is_ok(),
        "away": health.away_since.is_some(),
        "spooled": health.spooled,
        "conflicts": health.conflicts,
        "damaged": health.damaged,
        "spool_bytes": health.spool_bytes,
        "oldest_seconds": health.oldest.map(|oldest| oldest.as_secs()),
    });
    (status, Json(told))
}

async fn metrics(State(server): State<Server>) -> String {
    // It sets the gauges of the spool.
    server.manager.health().await;
    server.metrics.render()
}
