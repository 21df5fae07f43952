//! Which parts of a state a step changed: nobody minds, where states are not packed (`parts.rs`).

use crate::ids::Cpu;
use crate::touch::Touch;

/// A part of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part;

impl Part {
    /// Where tasks are.
    pub const HEAD: Part = Part;
    /// What the driver's specification holds.
    pub const IDEAL: Part = Part;
    /// What else of the driver's refers to frames.
    pub const START: Part = Part;
    /// Which frames are in use.
    pub const USED: Part = Part;

    /// What a task is doing.
    pub fn task(_: Cpu) -> Part {
        Part
    }
}

/// Which parts steps may have changed: not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed;

impl Changed {
    /// None.
    pub const NONE: Changed = Changed;

    /// A step touched this.
    pub fn touch(&mut self, _: Touch) {}

    /// This may have changed.
    pub fn add(&mut self, _: Part) {}

    /// This may have changed, if `changed` says so.
    pub fn add_if(&mut self, _changed: bool, _: Part) {}
}
