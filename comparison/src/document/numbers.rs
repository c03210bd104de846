//! Numbers as people read them.

use crate::results::Spread;

/// `412 µs`
pub(super) fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    format!("{} {unit}", significant(value))
}

/// `412 µs (380–455)`, all in one unit.
pub(super) fn spread(spread: Spread) -> String {
    let text = time(spread.median);
    let scale = match text.rsplit(' ').next() {
        Some("µs") => 1e6,
        Some("ms") => 1e3,
        _ => 1.0,
    };
    format!("{text} ({}–{})", significant(spread.low * scale), significant(spread.high * scale))
}

/// `21,600 (20,100–22,000)`
pub(super) fn rate(spread: Spread) -> String {
    let [low, median, high] = [spread.low, spread.median, spread.high].map(significant);
    format!("{median} ({low}–{high})")
}

/// `1.4 MB`
pub(super) fn bytes(bytes: f64) -> String {
    let (value, unit) = match bytes {
        b if b < 1e3 => (b, "B"),
        b if b < 1e6 => (b / 1e3, "KB"),
        b if b < 1e9 => (b / 1e6, "MB"),
        b => (b / 1e9, "GB"),
    };
    format!("{} {unit}", significant(value))
}

/// `100 µs`, of a power of ten.
pub(super) fn time_in_short(seconds: f64) -> String {
    in_short(&time(seconds))
}

/// `10 MB`, likewise.
pub(super) fn bytes_in_short(value: f64) -> String {
    in_short(&bytes(value))
}

fn in_short(text: &str) -> String {
    text.replace(".00", "").replace(".0 ", " ")
}

/// Three digits that say something, and commas.
pub(super) fn significant(value: f64) -> String {
    if value <= 0.0 {
        return "0".into();
    }
    #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
    let magnitude = value.log10().floor() as i32;
    if magnitude < 2 {
        let digits = usize::try_from(2 - magnitude).unwrap_or_default();
        return format!("{value:.digits$}");
    }
    let unit = 10_f64.powi(magnitude - 2);
    let rounded = format!("{:.0}", (value / unit).round() * unit);
    with_commas(&rounded)
}

fn with_commas(digits: &str) -> String {
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
