//! The command line.

use std::time::Duration;

use lexopt::ValueExt;

pub(crate) const HELP: &str = "\
Usage: server [--state URL] [--listen ADDRESS]

A chat server that remembers.

  --state URL       where states are kept: file:FOLDER, redis://HOST, and with the features sqlite,
                    postgres and mysql their URLs; without it \"file\", .cogency/state
  --listen ADDRESS  127.0.0.1:8080 unless told
  --grace TIME      for how long turns may go on after SIGTERM, 30s unless told
  --thinks TIME     how long its model takes for an answer, 0s unless told
  --help            show this

  POST   /chat/{user}/{session}          {\"question\": \"..\"}
  GET    /chat/{user}/{session}          the turns so far
  GET    /chat/{user}/{session}/history  what was saved when
  DELETE /chat/{user}/{session}
  GET    /health, /metrics

RUST_LOG says what is logged, such as info,cogency_state=debug.";

pub(crate) enum Request {
    Serve(Args),
    Help,
}

pub(crate) struct Args {
    pub(crate) state: String,
    pub(crate) listen: String,
    pub(crate) grace: Duration,
    pub(crate) thinks: Duration,
}

impl Args {
    pub(crate) fn from_command_line() -> Result<Request, lexopt::Error> {
        use lexopt::Arg::Long;

        let mut args = Self {
            state: "file".to_owned(),
            listen: "127.0.0.1:8080".to_owned(),
            grace: Duration::from_secs(30),
            thinks: Duration::ZERO,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("state") => args.state = parser.value()?.string()?,
                Long("listen") => args.listen = parser.value()?.string()?,
                Long("grace") => {
                    args.grace = parser.value()?.parse_with(humantime::parse_duration)?;
                }
                Long("thinks") => {
                    args.thinks = parser.value()?.parse_with(humantime::parse_duration)?;
                }
                Long("help") => return Ok(Request::Help),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Request::Serve(args))
    }
}
