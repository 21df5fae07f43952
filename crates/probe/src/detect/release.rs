//! From a release's name to a profile.
