//! A path into JSON.

use std::fmt;

/// The longest name of a field, in bytes.
const MAX_NAME_BYTES: usize = 1024;
/// MariaDB looks no deeper.
const MAX_STEPS: usize = 30;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Into a field of an object.
    Field(String),
    /// To an element of an array, counted from 0.
    Element(u32),
}

/// Leads from a document to a value in it: `$.turns[0].role`, `$."a name.with dots"`, or `$` for
/// the whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    /// Reads a path.
    pub(crate) fn parse(text: &str) -> Result<Self, PathProblem> {
        let mut rest = text.strip_prefix('$').ok_or(PathProblem::NoRoot)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest)?;
            steps.push(step);
            rest = after;
        }
        if steps.len() > MAX_STEPS { Err(PathProblem::TooDeep) } else { Ok(Self(steps)) }
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The way to the first so many steps.
    #[cfg(feature = "mysql")]
    pub(crate) fn beginning(&self, steps: usize) -> Self {
        Self(self.0.iter().take(steps).cloned().collect())
    }
}

/// Always with names in quotes: two paths are the same if their texts are.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.0.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, ".\"{name}\""),
            Step::Element(index) => write!(f, "[{index}]"),
        })
    }
}

fn step(text: &str) -> Result<(Step, &str), PathProblem> {
    if let Some(rest) = text.strip_prefix(".\"") {
        let (name, rest) = rest.split_once('"').ok_or(PathProblem::NoQuote)?;
        return Ok((Step::Field(valid(name)?), rest));
    }
    if let Some(rest) = text.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        if name.is_empty() {
            return Err(PathProblem::NoName);
        }
        return Ok((Step::Field(valid(name)?), rest));
    }
    let rest = text.strip_prefix('[').ok_or(PathProblem::NoStep)?;
    let (index, rest) = rest.split_once(']').ok_or(PathProblem::NoIndex)?;
    let is_number = index.bytes().all(|byte| byte.is_ascii_digit());
    let index = index.parse().ok().filter(|index| is_number && i32::try_from(*index).is_ok());
    Ok((Step::Element(index.ok_or(PathProblem::NoIndex)?), rest))
}

/// What each database would write in another way in a path is no name.
fn valid(name: &str) -> Result<String, PathProblem> {
    if name.len() > MAX_NAME_BYTES {
        return Err(PathProblem::LongName);
    }
    if name.contains(|c: char| c == '"' || c == '\\' || c.is_control()) {
        return Err(PathProblem::Character);
    }
    Ok(name.to_owned())
}

/// Why a text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathProblem {
    #[error("it does not begin with `$`")]
    NoRoot,
    #[error("behind `$` stands neither `.name`, `.\"name\"` nor `[number]`")]
    NoStep,
    #[error("a name is empty: write `.\"\"` if it is meant")]
    NoName,
    #[error("a name has no second quote")]
    NoQuote,
    #[error("an index is no number up to 2147483647 in brackets")]
    NoIndex,
    #[error("a name has a quote, a backslash or a control character, which cannot be looked for")]
    Character,
    #[error("a name is longer than 1024 bytes")]
    LongName,
    #[error("it has more than 30 steps")]
    TooDeep,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_and_written_in_one_form() {
        for (text, written) in [
            ("$", "$"),
            ("$.a", "$.\"a\""),
            ("$.turns[0].role", "$.\"turns\"[0].\"role\""),
            ("$.\"a.b\"[12]", "$.\"a.b\"[12]"),
            ("$[3]", "$[3]"),
            ("$.\"\"", "$.\"\""),
            ("$.it's", "$.\"it's\""),
        ] {
            assert_eq!(Path::parse(text).unwrap().to_string(), written);
            assert_eq!(Path::parse(written).unwrap(), Path::parse(text).unwrap());
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_what_is_wrong() {
        use PathProblem::{Character, NoIndex, NoName, NoQuote, NoRoot, NoStep, TooDeep};
        for (text, problem) in [
            ("", NoRoot),
            ("a", NoRoot),
            ("$a", NoStep),
            ("$.", NoName),
            ("$..a", NoName),
            ("$.\"a", NoQuote),
            ("$[-1]", NoIndex),
            ("$[+1]", NoIndex),
            ("$[*]", NoIndex),
            ("$[1", NoIndex),
            ("$[99999999999]", NoIndex),
            ("$.a\\b", Character),
            ("$.a\0b", Character),
            (&format!("${}", "[0]".repeat(31)), TooDeep),
        ] {
            assert_eq!(Path::parse(text), Err(problem), "{text}");
        }
    }
}
