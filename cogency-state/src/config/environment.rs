//! URLs of servers that the environment names.

use std::ffi::OsString;
use std::fmt::Display;

use crate::error::Error;

/// What the variable says, if it says something.
pub(super) fn url(variable: &str) -> Result<Option<String>, Error> {
    read(variable, std::env::var_os(variable))
}

fn read(variable: &str, value: Option<OsString>) -> Result<Option<String>, Error> {
    let url = value.filter(|url| !url.is_empty()).map(OsString::into_string).transpose();
    // Another server than the one that was meant would be worse than none. The value is not told:
    // it may hold a password.
    url.map_err(|_| unusable(variable, "it is not Unicode"))
}

pub(super) fn unusable(variable: &str, problem: impl Display) -> Error {
    Error::Config { reason: format!("the environment variable {variable}: {problem}") }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn only_where_the_environment_names_no_server_the_default_one_is_taken() {
        let read = |value| read("VARIABLE", value);
        assert_eq!(read(None).unwrap(), None);
        assert_eq!(read(Some(OsString::new())).unwrap(), None);
        assert_eq!(read(Some("redis://host".into())).unwrap().unwrap(), "redis://host");
        let error = read(Some(OsString::from_vec(b"redis://:secret\xff@host".into())));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("VARIABLE") && !error.contains("secret"), "{error}");
    }
}
