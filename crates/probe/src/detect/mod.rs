//! Which kernel is this? A source tree, an image or a running system as a profile.
