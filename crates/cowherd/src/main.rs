//! The command line of cowherd.
fn main() {}
