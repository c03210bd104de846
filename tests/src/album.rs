//! A state whose blobs show whether they are all there.

use cogency_state::{Blob, Error};
use serde::{Deserialize, Serialize};

/// How many images an album has at most: older ones go.
const IMAGES: u64 = 3;

/// The newest of numbered images. They follow from the number, so that a mixture of two saves shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Album {
    /// How many saves made it.
    pub number: u64,
    images: Vec<Blob>,
}

impl Album {
    /// The album of this number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        let first = number.saturating_sub(IMAGES - 1).max(1);
        Self { number, images: (first..=number).map(image).collect() }
    }

    /// Puts one image more in.
    pub fn turn(&mut self) {
        self.number += 1;
        self.images.push(image(self.number));
        if self.images.len() as u64 > IMAGES {
            self.images.remove(0);
        }
    }

    /// Whether it is what one save left, with all of its images.
    ///
    /// # Errors
    /// Why an image does not load.
    pub async fn is_whole(&self) -> Result<bool, Error> {
        for (found, due) in self.images.iter().zip(Self::of(self.number).images) {
            if found.load().await? != due.load().await? {
                return Ok(false);
            }
        }
        Ok(*self == Self::of(self.number))
    }
}

fn image(number: u64) -> Blob {
    // Some blocks of a disk.
    let length = usize::try_from(4096 + number * 7919 % 20_011).unwrap_or(0);
    Blob::new(number.to_le_bytes().into_iter().cycle().take(length).collect::<Vec<u8>>())
}
