//! stub
/// stub
#[derive(Debug)]
pub struct FileBackend;
