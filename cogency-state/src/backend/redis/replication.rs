//! What a server says of its part in replication.

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue as _, Value};

use super::problem::{Problem, Refusal};

/// A server's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It takes writes, and so many replicas follow it.
    Master { replicas: u32 },
    /// It follows another one, or is no server that keeps data.
    Other,
}

/// Asks a server, also whether this program may wait for its replicas.
pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<Role, Problem> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("ROLE");
    pipeline.cmd("WAIT").arg(0).arg(1);
    let answers = connection.send_packed_commands(&pipeline, 0, 2).await;
    let mut answers = answers.map_err(Problem::Unreachable)?.into_iter();
    let (Some(role), Some(waited)) = (answers.next(), answers.next()) else {
        return Err(Problem::Strange("too few answers"));
    };
    if let Some(refusal) = Refusal::in_answer(&role) {
        return Err(refusal.into());
    }
    let role = read(role);
    match Refusal::in_answer(&waited) {
        // Only a master can wait.
        Some(refusal) if role != Role::Other => Err(refusal.into()),
        _ => Ok(role),
    }
}

// Input: ["master", offset, [[host, port, offset], ...]]
fn read(answer: Value) -> Role {
    let mut parts = Vec::<Value>::from_redis_value(answer).unwrap_or_default().into_iter();
    let name = parts.next().and_then(|name| String::from_redis_value(name).ok());
    match (name.as_deref(), parts.nth(1)) {
        (Some("master"), Some(Value::Array(replicas))) => {
            Role::Master { replicas: u32::try_from(replicas.len()).unwrap_or(u32::MAX) }
        }
        _ => Role::Other,
    }
}
