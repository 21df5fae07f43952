//! What follows from every step: what was freed is forgotten, and the checks that hold in every state.

use cowherd_mm::Touch;
use cowherd_mm::parts::Part;

use crate::program::Program;
use crate::spec::Alarms;
use crate::state::State;
use crate::system::Done;

impl Program {
    /// What follows from a step, whoever took it: frames of the start that were freed are no longer anybody's; the kernel's
    /// invariants and what every address would show are looked at, unless the step wrote nothing that they depend on.
    pub(crate) fn settle(&self, state: &mut State, done: &Done) -> Alarms {
        let Done { touched, told, .. } = *done;
        let written = Touch::frames(touched.writes);
        if !written.is_empty() {
            let before = state.used;
            state.used = before.without(written).or(state.m.in_use_among(written));
            let differs = before != state.used;
            state.origin.changed.add_if(differs, Part::USED);
            state.forget_all(written.without(state.used));
        }
        if self.watches_frames {
            for pfn in state.start.iter_mut().flatten() {
                if pfn.is_some_and(|pfn| state.m.frames[pfn.at()].is_free()) {
                    *pfn = None;
                    state.origin.changed.add(Part::START);
                }
            }
        }
        let invariants = touched.writes & Touch::MEMORY & !Touch::MMS != 0;
        let shows = told
            || touched.writes & (Touch::MEMORY | Touch::DATA | Touch::TLBS) != 0
            || state.ideal.watched();
        let alarms = self.look(state, invariants, shows);
        if self.general.is_some() {
            // What was picked, and what is forgotten.
            state.origin.changed.add(Part::HEAD);
            self.forget(state);
        }
        alarms
    }

    /// Looks at the kernel's invariants, and at what every address shows.
    fn look(&self, state: &mut State, invariants: bool, shows: bool) -> Alarms {
        let mut alarms = Alarms::default();
        if invariants {
            let broken = cowherd_mm::invariants::broken_among(&state.m, &self.cfg, state.used);
            if !broken.is_empty() {
                broken.iter().for_each(|broken| alarms.broken(broken));
            }
        }
        if shows {
            self.spec.settle(state, &mut alarms, self);
        }
        state.note(alarms);
        alarms
    }

    /// Would looking at everything once more tell anything new of a state that a step led to? What a step leaves out after it can
    /// only be so.
    pub fn is_settled(&self, state: &State) -> bool {
        let mut again = state.clone();
        self.look(&mut again, true, true);
        if let Some(general) = &self.general {
            again.alarms &= general.counts;
        }
        again == *state && state.used == state.m.in_use()
    }
}
