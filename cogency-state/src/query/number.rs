//! Numbers, compared by what they are.

use std::cmp::Ordering;

/// A number of JSON: an `f64`, and for a whole one what the nearest `f64` lacks of it. As the
/// nearest never jumps back, numbers compare as these pairs do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exact {
    pub(crate) nearest: f64,
    pub(crate) rest: i64,
}

impl Exact {
    /// `None` of what is not finite.
    pub(crate) fn of(number: &serde_json::Number) -> Option<Self> {
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        match whole {
            Some(whole) => Some(Self::whole(whole)),
            // There is no other zero than 0.
            None => number.as_f64().map(|nearest| Self { nearest: nearest + 0.0, rest: 0 }),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "`rest` is what is lost")]
    #[expect(clippy::cast_possible_truncation, reason = "64 bits hold it all")]
    fn whole(whole: i128) -> Self {
        let nearest = whole as f64;
        Self { nearest, rest: (whole - nearest as i128) as i64 }
    }

    pub(crate) fn cmp(self, other: Self) -> Ordering {
        let nearest = self.nearest.partial_cmp(&other.nearest).unwrap_or(Ordering::Equal);
        nearest.then(self.rest.cmp(&other.rest))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Number;

    use super::*;

    fn exact(json: &str) -> Exact {
        Exact::of(&serde_json::from_str::<Number>(json).unwrap()).unwrap()
    }

    #[test]
    fn numbers_compare_as_mathematics_has_it() {
        let ascending = [
            "-1e300",
            "-9223372036854775808",
            "-9223372036854775807",
            "-9007199254740993",
            "-1.5",
            "0",
            "5e-324",
            "1",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551614",
            "18446744073709551615",
            "18446744073709551616.0",
            "1e300",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(exact(pair[0]).cmp(exact(pair[1])), Ordering::Less, "{pair:?}");
        }
        for (one, same) in
            [("1", "1.0"), ("0", "-0.0"), ("9223372036854775808", "9223372036854775808.0")]
        {
            assert_eq!(exact(one).cmp(exact(same)), Ordering::Equal, "{one}");
        }
    }
}
