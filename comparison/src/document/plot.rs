//! Lines in panels, as SVG that is read on light and dark pages.

use std::fmt::Write as _;

use crate::contestant::Kind;

/// Of a panel, with room for what is written around it.
const WIDTH: f64 = 530.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 215.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
const COLUMNS: usize = 2;
/// From one label at the end of a line to the next.
const LABEL: f64 = 13.0;

const STYLE: &str = "
text { font: 11px system-ui, sans-serif; fill: #59636e }
text.title { font-size: 14px; font-weight: 600; fill: #1f2328 }
line { stroke: #818b98; stroke-opacity: .25 }
polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round }
polyline.floor { stroke: #818b98; stroke-dasharray: 4 3 } text.floor { fill: #59636e }
polyline.peer { stroke: #bc4c00 } text.peer { fill: #bc4c00 }
polyline.ours { stroke: #0969da; stroke-width: 2.5 } text.ours { fill: #0969da; font-weight: 600 }
polyline.leader { stroke-dasharray: none; stroke-width: .75; stroke-opacity: .6 }
@media (prefers-color-scheme: dark) {
text, text.floor { fill: #9198a1 } text.title { fill: #f0f6fc }
polyline.peer { stroke: #f0883e } text.peer { fill: #f0883e }
polyline.ours { stroke: #4493f8 } text.ours { fill: #4493f8 }
}";

pub(super) struct Panel {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) is_log: bool,
    pub(super) ticks: Vec<(f64, String)>,
}

pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) points: Vec<(f64, f64)>,
}

impl Axis {
    /// Where a value stands, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.is_log { value.log10() } else { value };
        (scale(value) - scale(self.from)) / (scale(self.to) - scale(self.from))
    }

    /// From the power of ten below all values to that above them.
    pub(super) fn of_powers(
        label: &'static str,
        values: impl Iterator<Item = f64> + Clone,
        name: impl Fn(f64) -> String,
    ) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let most = values.fold(f64::NEG_INFINITY, f64::max).log10().ceil();
        let most = most.max(least + 1.0);
        let powers = std::iter::successors(Some(least), |power| Some(power + 1.0));
        let powers = powers.take_while(|&power| power <= most).map(|power| 10_f64.powf(power));
        let ticks = powers.map(|value| (value, name(value))).collect();
        Self { label, from: 10_f64.powf(least), to: 10_f64.powf(most), is_log: true, ticks }
    }
}

pub(super) fn svg(panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(COLUMNS);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let (width, height) = (WIDTH * COLUMNS as f64, HEIGHT * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{STYLE}\n</style>\n"
    );
    for (nth, panel) in panels.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let (x, y) = ((nth % COLUMNS) as f64 * WIDTH, (nth / COLUMNS) as f64 * HEIGHT);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">\n{}</g>", panel.svg());
    }
    svg + "</svg>\n"
}

impl Panel {
    fn svg(&self) -> String {
        let mut svg = text("title", LEFT, TOP - 14.0, "start", &self.title);
        svg += &self.grid();
        for line in &self.lines {
            let points = line.points.iter().map(|&point| self.place(point));
            svg += &polyline(class(line.kind), &points.collect::<Vec<_>>());
        }
        svg + &self.labels()
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT);
        (across, HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM))
    }

    fn grid(&self) -> String {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut svg = String::new();
        for (value, name) in &self.x.ticks {
            let (x, _) = self.place((*value, self.y.from));
            svg += &rule(x, TOP, x, bottom);
            svg += &text("", x, bottom + 15.0, "middle", name);
        }
        for (value, name) in &self.y.ticks {
            let (_, y) = self.place((self.x.from, *value));
            svg += &rule(LEFT, y, right, y);
            svg += &text("", LEFT - 6.0, y + 4.0, "end", name);
        }
        svg += &text("", f64::midpoint(LEFT, right), bottom + 32.0, "middle", self.x.label);
        svg + &text("", LEFT - 6.0, TOP - 14.0, "end", self.y.label)
    }

    /// Beside the ends of the lines, apart from each other.
    fn labels(&self) -> String {
        let ends =
            self.lines.iter().filter_map(|line| Some((line, self.place(*line.points.last()?))));
        let mut ends: Vec<_> = ends.collect();
        ends.sort_by(|(_, one), (_, other)| one.1.total_cmp(&other.1));
        let heights = apart(ends.iter().map(|(_, (_, y))| *y).collect());
        let mut svg = String::new();
        for ((line, (x, y)), height) in ends.into_iter().zip(heights) {
            let class = class(line.kind);
            let leader = [(x + 2.0, y), (x + 8.0, height), (x + 12.0, height)];
            svg += &polyline(&format!("{class} leader"), &leader);
            svg += &text(class, x + 15.0, height + 4.0, "start", line.name);
        }
        svg
    }
}

/// Heights in order, moved as little as it takes to have room for a label each.
fn apart(mut heights: Vec<f64>) -> Vec<f64> {
    let bottom = HEIGHT - BOTTOM + LABEL;
    for nth in 1..heights.len() {
        heights[nth] = heights[nth].max(heights[nth - 1] + LABEL);
    }
    let mut most = bottom;
    for height in heights.iter_mut().rev() {
        *height = height.min(most);
        most = *height - LABEL;
    }
    heights
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Floor => "floor",
        Kind::Ours => "ours",
        Kind::Peer => "peer",
    }
}

fn polyline(class: &str, points: &[(f64, f64)]) -> String {
    let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    format!("<polyline class=\"{class}\" points=\"{}\"/>\n", points.join(" "))
}

fn rule(from_x: f64, from_y: f64, to_x: f64, to_y: f64) -> String {
    format!("<line x1=\"{from_x:.1}\" y1=\"{from_y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\"/>\n")
}

fn text(class: &str, x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"
    )
}
