//! The URLs that `persist` takes. What `cogency-state/src/config.rs` would refuse when the program
//! runs is refused here, when it is compiled; but for what stands inside of a server's URL, which
//! its backend looks at.

use crate::problems::{advice, meant};

/// The URLs of a backend.
struct Url {
    scheme: &'static str,
    /// An example of what follows the colon.
    rest: &'static str,
    backend: &'static str,
}

const URLS: [Url; 14] = [
    Url { scheme: "memory", rest: "", backend: "memory" },
    Url { scheme: "file", rest: "data/agents", backend: "file" },
    Url { scheme: "redis", rest: "//host/0", backend: "redis" },
    Url { scheme: "rediss", rest: "//host/0", backend: "redis" },
    Url { scheme: "redis+unix", rest: "///run/redis.sock", backend: "redis" },
    Url { scheme: "redis+sentinel", rest: "//host,host/mymaster/0", backend: "redis" },
    Url { scheme: "rediss+sentinel", rest: "//host,host/mymaster/0", backend: "redis" },
    Url { scheme: "redis+cluster", rest: "//host,host", backend: "redis" },
    Url { scheme: "rediss+cluster", rest: "//host,host", backend: "redis" },
    Url { scheme: "sqlite", rest: "data/agents.db", backend: "sqlite" },
    Url { scheme: "postgres", rest: "//host/agents", backend: "postgres" },
    Url { scheme: "postgresql", rest: "//host/agents", backend: "postgres" },
    Url { scheme: "mysql", rest: "//host/agents", backend: "mysql" },
    Url { scheme: "mariadb", rest: "//host/agents", backend: "mysql" },
];

/// The only parameter of a `file:` URL.
const PROCESS: &str = "process";

/// The backend that a URL means. No message quotes what may be a password.
pub(crate) fn backend(scheme: &str, rest: &str) -> Result<&'static str, String> {
    let Some(url) = URLS.iter().find(|url| url.scheme == scheme) else {
        return Err(unknown(scheme));
    };
    if rest.contains(['{', '}']) {
        let message = "braces in a URL are taken literally, nothing is put in their place: users \
                       are kept apart by `key` already, and for a place that is known only when \
                       the program runs, give an expression that makes a `StateManager`";
        return Err(message.to_owned());
    }
    match scheme {
        "file" => url.check_file(rest)?,
        "redis+sentinel" | "rediss+sentinel" => url.check_sentinel(rest)?,
        _ => url.check(rest)?,
    }
    Ok(url.backend)
}

fn unknown(scheme: &str) -> String {
    let examples: Vec<_> = URLS.iter().map(Url::example).collect();
    let meant = meant(scheme, URLS.iter().map(|url| url.scheme));
    let advice = advice(meant, &examples);
    format!("no backend has URLs that begin with `{scheme}:`; {advice}")
}

impl Url {
    fn example(&self) -> String {
        format!("{}:{}", self.scheme, self.rest)
    }

    /// Whether this can follow the colon.
    fn check(&self, rest: &str) -> Result<(), String> {
        let begin = if self.rest.starts_with("//") { "//" } else { "" };
        let detail = rest.strip_prefix(begin);
        let complete = detail.is_some_and(|detail| detail.is_empty() == self.rest.is_empty());
        if complete && !rest.contains(char::is_control) {
            return Ok(());
        }
        Err(format!("this URL is not complete: write it like `{}`", self.example()))
    }

    // Input: //host:26379,host/mymaster/0?prefix=agents
    fn check_sentinel(&self, rest: &str) -> Result<(), String> {
        self.check(rest)?;
        let place = rest.split('?').next().unwrap_or_default();
        let path = place.trim_start_matches('/').split_once('/');
        if path.is_some_and(|(_, path)| !path.is_empty() && !path.starts_with('/')) {
            return Ok(());
        }
        let example = self.example();
        Err(format!("this URL does not name the sentinels' master: write it like `{example}`"))
    }

    // Input: data/agents?process=worker-1
    fn check_file(&self, rest: &str) -> Result<(), String> {
        let (path, parameter) = match rest.split_once('?') {
            Some((path, parameter)) => (path, Some(parameter)),
            None => (rest, None),
        };
        let folder = path.strip_prefix("//").unwrap_or(path);
        self.check(folder)?;
        if folder != path && !folder.starts_with('/') {
            return Err("a `file:` URL has no host: write a folder like `file:data/agents`, or, \
                        from the root, like `file:/data/agents` or `file:///data/agents`"
                .to_owned());
        }
        parameter.map_or(Ok(()), |parameter| self.check_parameter(parameter))
    }

    // Input: process=worker-1
    fn check_parameter(&self, parameter: &str) -> Result<(), String> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name == PROCESS && !value.is_empty() {
            return Ok(());
        }
        let wrong = match name {
            PROCESS | "" => format!("`{PROCESS}` names no process"),
            _ => format!("a `file:` URL has the parameter `{PROCESS}`, not `{name}`"),
        };
        Err(format!("{wrong}: write it like `{}?{PROCESS}=worker-1`", self.example()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend_of(url: &str) -> Result<&'static str, String> {
        let (scheme, rest) = url.split_once(':').unwrap();
        backend(scheme, rest)
    }

    #[test]
    fn complete_urls_select_their_backends() {
        for url in &URLS {
            assert_eq!(backend_of(&url.example()).unwrap(), url.backend);
        }
    }

    #[test]
    fn a_folder_may_be_relative_or_absolute_and_of_one_process() {
        for url in ["file:a", "file:/a", "file:///a", "file:a?process=b", "file:///a?process=b=?\n"]
        {
            assert_eq!(backend_of(url).unwrap(), "file");
        }
    }

    #[test]
    fn sentinels_have_a_master() {
        for url in ["redis+sentinel://a,b:1/name", "rediss+sentinel://u:p@a/name/0?prefix=b"] {
            assert_eq!(backend_of(url).unwrap(), "redis");
        }
        for url in ["redis+sentinel://a", "redis+sentinel://a/", "rediss+sentinel://a?b=/c"] {
            assert!(backend_of(url).unwrap_err().contains("master"), "{url}");
        }
    }

    #[test]
    fn messages_do_not_repeat_what_may_be_a_password() {
        for url in [
            "postgres:user:secret@host",
            "pg://user:secret@host",
            "redis:secret",
            "redis+sentinel://:secret@host",
        ] {
            let message = backend_of(url).unwrap_err();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
