//! Finding the change between two serialised states, in linear time.
//!
//! What both begin and end with is compared first, at the speed of memory: most changes are one
//! spot near the end. Between the two the search resynchronises: behind each difference it looks
//! for the nearest place from where both go on alike, in a window that grows only as far as it has
//! to. A counter that stands before a grown list so costs a few bytes, not the list.

/// Both are alike for `len` bytes from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) len: usize,
}

/// So many bytes have to be alike to count as the same place.
const GRAM: usize = 16;
const FIRST_WINDOW: usize = 64;
const WINDOW_GROWTH: usize = 8;
/// In a window that is larger not each place is noted, so that the table stays small.
const MAX_NOTED: usize = 1 << 15;

/// Where the two are alike, from the beginning to the end of both; each match lies behind the one
/// before it, in both.
pub(super) fn matches(old: &[u8], new: &[u8]) -> Vec<Match> {
    let head = common_prefix(old, new);
    let (old_rest, new_rest) = (behind(old, head), behind(new, head));
    let tail = common_suffix(old_rest, new_rest);
    let old_middle = old_rest.get(..old_rest.len() - tail).unwrap_or_default();
    let new_middle = new_rest.get(..new_rest.len() - tail).unwrap_or_default();

    let mut found = vec![Match { old: 0, new: 0, len: head }];
    let (mut old_at, mut new_at) = (0, 0);
    while let Some(next) = resynchronise(behind(old_middle, old_at), behind(new_middle, new_at)) {
        let (from_old, from_new) = (old_at + next.old, new_at + next.new);
        found.push(Match { old: head + from_old, new: head + from_new, len: next.len });
        (old_at, new_at) = (from_old + next.len, from_new + next.len);
    }
    found.push(Match { old: old.len() - tail, new: new.len() - tail, len: tail });
    found
}

/// The nearest place from where on both are alike.
fn resynchronise(old: &[u8], new: &[u8]) -> Option<Match> {
    let mut window = FIRST_WINDOW;
    loop {
        if let Some(found) = nearest(first(old, window + GRAM), first(new, window + GRAM)) {
            let further = common_prefix(
                behind(old, found.old + found.len),
                behind(new, found.new + found.len),
            );
            return Some(Match { len: found.len + further, ..found });
        }
        if window >= old.len().max(new.len()) {
            return None;
        }
        window *= WINDOW_GROWTH;
    }
}

/// The same within a window.
fn nearest(old: &[u8], new: &[u8]) -> Option<Match> {
    let places = Places::of(old);
    let mut best: Option<Match> = None;
    for (new_at, gram) in new.windows(GRAM).enumerate() {
        if best.is_some_and(|best| new_at >= best.old + best.new) {
            break;
        }
        let Some(old_at) = places.find(old, gram) else { continue };
        if best.is_none_or(|best| old_at + new_at < best.old + best.new) {
            // Where not each place is noted the likeness may have begun before.
            let before = common_suffix(first(old, old_at), first(new, new_at));
            let (old, new) = (old_at - before, new_at - before);
            best = Some(Match { old, new, len: GRAM + before });
        }
    }
    best
}

/// Where each gram of a text stands first.
struct Places {
    table: Vec<u32>,
    mask: usize,
}

impl Places {
    const NONE: u32 = u32::MAX;

    fn of(text: &[u8]) -> Self {
        let stride = text.len().div_ceil(MAX_NOTED).max(1);
        let slots = (2 * text.len() / stride).next_power_of_two();
        let mut places = Self { table: vec![Self::NONE; slots], mask: slots - 1 };
        for (at, gram) in text.windows(GRAM).enumerate().step_by(stride) {
            let slot = places.slot(gram);
            if let (Some(place), Ok(at)) = (places.table.get_mut(slot), u32::try_from(at))
                && *place == Self::NONE
            {
                *place = at;
            }
        }
        places
    }

    fn find(&self, text: &[u8], gram: &[u8]) -> Option<usize> {
        let at = *self.table.get(self.slot(gram))? as usize;
        (text.get(at..at.checked_add(GRAM)?)? == gram).then_some(at)
    }

    fn slot(&self, gram: &[u8]) -> usize {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let (low, high) = gram.split_at_checked(GRAM / 2).unwrap_or_default();
        let number = |half: &[u8]| u64::from_le_bytes(half.try_into().unwrap_or_default());
        let (low, high) = (number(low), number(high));
        let mixed = (low ^ high.wrapping_mul(SPREAD).rotate_left(29)).wrapping_mul(SPREAD);
        (mixed >> 32) as usize & self.mask
    }
}

/// How many bytes both begin with.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const STRIDE: usize = 256;
    let blocks = a.chunks_exact(STRIDE).zip(b.chunks_exact(STRIDE));
    let whole = blocks.take_while(|(a, b)| a == b).count() * STRIDE;
    let rest = behind(a, whole).iter().zip(behind(b, whole));
    whole + rest.take_while(|(a, b)| a == b).count()
}

/// How many bytes both end with.
fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    const STRIDE: usize = 256;
    let blocks = a.rchunks_exact(STRIDE).zip(b.rchunks_exact(STRIDE));
    let whole = blocks.take_while(|(a, b)| a == b).count() * STRIDE;
    let (a, b) = (first(a, a.len() - whole), first(b, b.len() - whole));
    whole + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

fn behind(text: &[u8], at: usize) -> &[u8] {
    text.get(at..).unwrap_or_default()
}

fn first(text: &[u8], len: usize) -> &[u8] {
    text.get(..len).unwrap_or(text)
}
