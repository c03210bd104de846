//! The command line.

use std::env;

use cogency_state::DEFAULT_SESSION;
use lexopt::ValueExt;

pub(crate) const HELP: &str = "\
Usage: chat [--user NAME] [--session NAME] [QUESTION]...

A chat agent that remembers. It answers the questions, each in quotes; without any it talks until
/quit or the end of its input.

  --user NAME     whose conversation it is; without it $USER, or \"you\"
  --session NAME  which of their conversations
  --forget        delete all conversations and the notes of the user
  --help          show this

States are kept in .cogency/state, or in $COGENCY_STATE_DIR.
With $OPENAI_API_KEY and `--features openai` a real model answers; $OPENAI_MODEL and
$OPENAI_BASE_URL choose which.";

pub(crate) struct Args {
    pub(crate) user_id: String,
    pub(crate) session: String,
    pub(crate) request: Request,
}

pub(crate) enum Request {
    Talk,
    Ask(Vec<String>),
    Forget,
    Help,
}

impl Args {
    pub(crate) fn from_command_line() -> Result<Self, lexopt::Error> {
        use lexopt::Arg::{Long, Value};

        let user_id = env::var("USER").ok().filter(|name| !name.is_empty());
        let mut args = Self {
            user_id: user_id.unwrap_or_else(|| "you".to_owned()),
            session: DEFAULT_SESSION.to_owned(),
            request: Request::Talk,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("user") => args.user_id = parser.value()?.string()?,
                Long("session") => args.session = parser.value()?.string()?,
                Long("help") => return Ok(Self { request: Request::Help, ..args }),
                Long("forget") if matches!(args.request, Request::Talk) => {
                    args.request = Request::Forget;
                }
                Value(question) => match &mut args.request {
                    Request::Ask(questions) => questions.push(question.string()?),
                    Request::Talk => args.request = Request::Ask(vec![question.string()?]),
                    Request::Forget | Request::Help => return Err(Value(question).unexpected()),
                },
                other => return Err(other.unexpected()),
            }
        }
        Ok(args)
    }
}
