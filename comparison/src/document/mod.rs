//! The document and its plots, and tables of README and the guides. What is told in words stands in a template and in a file of
//! explanations, so that it stays when figures are made anew.

mod guides;
mod machine;
mod numbers;
mod plot;
mod plots;
mod tables;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::aims;
use crate::contestant::Outcome;
use crate::media;
use crate::results::Results;

pub(crate) use machine::machine;

pub(crate) fn write(results: &Results, here: &Path, docs: &Path) -> Outcome<()> {
    let explained = explanations(&fs::read_to_string(here.join("why.md"))?);
    let mut document = fs::read_to_string(here.join("performance.md"))?;
    let mut fill = |name: &str, text: &str| {
        document = document.replace(&format!("{{{{{name}}}}}"), text.trim_end());
    };
    fill("machine", &results.machine);
    fill("run", if results.is_quick { QUICK } else { "" });
    fill("aims", &tables::aims(&aims::all(results), &explained));
    for medium in media::ALL {
        fill(medium.id, &tables::medium(results, medium));
    }
    fill("written", &tables::written(results));
    fill("own", &tables::own_parts(results));
    fs::write(docs.join("performance.md"), document)?;
    fs::write(docs.join("latency.svg"), plots::latency(results))?;
    fs::write(docs.join("written.svg"), plots::written(results))?;
    if results.is_quick { Ok(()) } else { guides::write(results, &here.join("..")) }
}

const QUICK: &str = "**A quick trial: too few rounds to tell anything by.**\n";

/// By the names of aims, which are the headings.
fn explanations(text: &str) -> HashMap<String, String> {
    let sections = text.split("\n## ").skip(1);
    let sections = sections.filter_map(|section| section.split_once('\n'));
    sections.map(|(id, text)| (id.trim().into(), text.trim().replace('\n', " "))).collect()
}
