//! A chat server that remembers, for many users at once, on any backend.
//!
//! ```sh
//! cargo run --example server --features server
//! cargo run --example server --features server,postgres -- --state postgres://localhost/agents
//! curl -d '{"question": "hello"}' -H 'content-type: application/json' localhost:8080/chat/alice/default
//! ```
//!
//! What makes it remember is the attribute of [`chat::turn`]. On SIGTERM it takes no new
//! connections, finishes the turns that it is at, and ends: their answers are sent, and saved.

mod args;
mod chat;
mod problem;
mod routes;
mod shutdown;
mod telemetry;

use std::future::IntoFuture;
use std::process::ExitCode;

use anyhow::{Result, bail};
use cogency_state::StateManager;
use tokio::net::TcpListener;

use crate::args::{Args, Request};
use crate::routes::Server;
use crate::shutdown::Shutdown;

/// A backend that is away does not keep this program from starting: what waits for it on this
/// machine's disk goes on.
async fn connect(state: &str) -> Result<StateManager, cogency_state::Error> {
    match StateManager::connect(state).await {
        Err(error) if error.is_outage() => {
            tracing::warn!(%error, "the states are out of reach: starts without them");
            StateManager::shared(state)
        }
        connected => connected,
    }
}

async fn run(args: Args) -> Result<()> {
    let telemetry = telemetry::start()?;
    let server = Server {
        manager: connect(&args.state).await?,
        metrics: telemetry.metrics.clone(),
        thinks: args.thinks,
    };
    let listener = TcpListener::bind(&args.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let shutdown = Shutdown::on_signals()?;
    let serving = axum::serve(listener, routes::all(server))
        .with_graceful_shutdown(shutdown.clone().begins());
    tokio::select! {
        ended = serving.into_future() => ended?,
        () = shutdown.ends(args.grace) => bail!("not all connections ended in {:?}", args.grace),
    }
    telemetry.end()
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Args::from_command_line() {
        Ok(Request::Serve(args)) => run(args).await,
        Ok(Request::Help) => {
            println!("{}", args::HELP);
            Ok(())
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    if let Err(error) = result {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
