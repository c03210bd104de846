//! A state that shows whether it is whole.

use serde::{Deserialize, Serialize};

/// A numbered text. The text follows from the number, so that a mixture of two saves shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many saves made it.
    pub number: u64,
    text: String,
}

impl Page {
    /// The page of this number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        if number == 0 {
            return Self::default();
        }
        // Lengths from nothing to some blocks of a disk, in an order that jumps.
        let length = number * 7919 % 20_011;
        let line = format!("{number} ");
        let text = line.chars().cycle().take(usize::try_from(length).unwrap_or(0)).collect();
        Self { number, text }
    }

    /// Turns it.
    pub fn turn(&mut self) {
        *self = Self::of(self.number + 1);
    }

    /// Whether it is what one save left.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::of(self.number)
    }
}
