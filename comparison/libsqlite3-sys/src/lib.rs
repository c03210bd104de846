pub use same::*;
