//! The attribute stands on functions.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
struct Chat;

#[robust(persist = "memory")]
impl Chat {}

#[robust(persist = "memory")]
mod agents {}

#[robust(persist = "memory")]
enum Either {}

#[robust(persist = "memory")]
pub trait Agent {}

#[robust(retry = 2)]
const ATTEMPTS: u32 = 2;

#[robust(retry = 2)]
use std::fmt;

fn main() {}
