//! Which kernel is this, as a profile: of a source tree ([`source`]), of an image or of the running system ([`release`]).

pub mod look;
pub mod release;
pub mod source;
mod text;
pub mod tree;
