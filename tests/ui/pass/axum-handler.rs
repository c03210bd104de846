//! An axum handler, with its checks.
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use cogency_state::robust;

struct Failure(cogency_state::Error);

impl From<cogency_state::Error> for Failure {
    fn from(error: cogency_state::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
#[axum::debug_handler]
async fn chat(
    state: &mut Vec<String>,
    State(greeting): State<String>,
    Path(user_id): Path<String>,
    query: String,
) -> Result<String, Failure> {
    state.push(query);
    Ok(format!("{greeting} {user_id} {}", state.len()))
}

#[tokio::main]
async fn main() {
    let _: Router = Router::new()
        .route("/chat/{user_id}", routing::post(chat))
        .with_state("hello".to_owned());
    let call = || {
        let user = Path("alice".to_owned());
        tokio::spawn(chat(State("hello".to_owned()), user, "query".to_owned()))
    };
    assert!(matches!(call().await.unwrap(), Ok(answer) if answer == "hello alice 1"));
    assert!(matches!(call().await.unwrap(), Ok(answer) if answer == "hello alice 2"));
}
