//! Indexes are used, where there is enough to look through.
