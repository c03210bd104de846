//! Where in a state something is, told without anything that the state holds.

use std::cell::RefCell;
use std::fmt;

/// One step from a value to a value inside it.
///
/// A name belongs to the type and is therefore static. The key of a map belongs to the state: its
/// entry is told by its position.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// `.name`: a field of a struct, or a variant of an enum.
    Name(&'static str),
    /// `{0}`: an entry of a map.
    Entry(usize),
    /// `[0]`: an element of a list or tuple.
    Element(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, ".{name}"),
            Self::Entry(index) => write!(f, "{{{index}}}"),
            Self::Element(index) => write!(f, "[{index}]"),
        }
    }
}

/// The steps to an error, from the inside out: each level adds its own on the way back, so that
/// a state without errors pays nothing.
#[derive(Default)]
pub(super) struct Trail(RefCell<Vec<Step>>);

impl Trail {
    #[cold]
    pub(super) fn add(&self, step: Step) {
        self.0.borrow_mut().push(step);
    }

    /// The path, such as `rounds{0}[1]`; `.` for the whole state.
    pub(super) fn into_path(self) -> String {
        let path: String = self.0.into_inner().iter().rev().map(Step::to_string).collect();
        match path.strip_prefix('.') {
            Some(path) => path.to_owned(),
            None if path.is_empty() => ".".to_owned(),
            None => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(steps_from_inside: &[Step]) -> String {
        let trail = Trail::default();
        for step in steps_from_inside {
            trail.add(*step);
        }
        trail.into_path()
    }

    #[test]
    fn a_path_leads_from_the_outside_in() {
        let steps = [Step::Element(1), Step::Entry(0), Step::Name("rounds"), Step::Element(7)];
        assert_eq!(path(&steps), "[7].rounds{0}[1]");
        assert_eq!(path(&steps[..3]), "rounds{0}[1]");
        assert_eq!(path(&[]), ".");
    }
}
