//! Which kernel is this, as a profile: of a source tree ([`source`]), of an image ([`image`]) or of the
//! running system ([`running`]) by its release ([`release`]) and by what it does ([`behaviour`]).

pub mod behaviour;
pub mod image;
pub mod look;
pub mod release;
pub mod running;
pub mod source;
mod text;
pub mod tree;
