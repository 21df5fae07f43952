//! Stub, replaced by the specification.
use cowherd_mm::pack::{Pack, Reader, Writer};
use cowherd_mm::*;
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ideal;
#[derive(Clone, Copy, Debug, Default)]
pub struct Alarms(u64);
#[derive(Clone, Debug, Default)]
pub struct Spec;
impl Pack for Ideal {
    fn pack(&self, _w: &mut Writer) {}
    fn unpack(_r: &mut Reader) -> Ideal {
        Ideal
    }
}
impl Alarms {
    pub fn broken(&mut self, b: Broken) {
        self.0 |= 1u64 << (13 + b as u32);
    }
    pub fn bits(self) -> u64 {
        self.0
    }
}
#[allow(clippy::too_many_arguments, clippy::unused_self)]
impl Spec {
    pub fn file_written(&self, _i: &mut Ideal, _a: &mut Alarms) {}
    pub fn load(&self, _i: &mut Ideal, _a: &mut Alarms, _mm: MmId, _va: Va, _c: Cell, _v: u8) {}
    pub fn store(&self, _i: &mut Ideal, _a: &mut Alarms, _mm: MmId, _va: Va, _c: Cell, _v: u8) {}
    pub fn land(&self, _i: &mut Ideal, _a: &mut Alarms, _io: IoId, _c: Cell, _v: u8) {}
    pub fn sample(&self, _i: &mut Ideal, _a: &mut Alarms, _io: IoId, _c: Cell, _v: u8) {}
    pub fn held_load(&self, _i: &mut Ideal, _a: &mut Alarms, _h: HoldId, _c: Cell, _v: u8) {}
    pub fn held_store(&self, _i: &mut Ideal, _a: &mut Alarms, _h: HoldId, _c: Cell, _v: u8) {}
    pub fn pipe_read(
        &self,
        _i: &mut Ideal,
        _a: &mut Alarms,
        _mm: MmId,
        _va: Va,
        _c: Cell,
        _v: u8,
        _r: MmId,
    ) {
    }
    pub fn event(&self, _i: &mut Ideal, _a: &mut Alarms, _e: Event) {}
}

pub fn kind_bits(_k: Option<cowherd_litmus::ast::Kind>) -> u64 {
    u64::MAX
}
pub fn hazard_bits(_n: Option<u8>) -> u64 {
    0
}
impl Spec {
    pub fn new(_t: &cowherd_litmus::ast::Test, _p: &crate::program::Program) -> Spec {
        Spec
    }
    pub fn initial(&self, _s: &crate::state::State) -> Ideal {
        Ideal
    }
}

pub fn names(_bits: u64) -> Vec<String> {
    Vec::new()
}
pub fn describe_bits(_bits: u64) -> String {
    "violates".into()
}
