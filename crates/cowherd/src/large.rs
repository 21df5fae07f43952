//! Large searches: saved as they go.

use cowherd_explore::{About, Checkpoints, Keep, Options, Refused};
use cowherd_model::kernels::Profile;

use crate::cli::Large;
use crate::exit::Failure;
use crate::terminal;

impl Large {
    /// What is kept of each state.
    pub fn keep(&self) -> Keep {
        if self.fingerprints {
            Keep::Fingerprints
        } else {
            Keep::States
        }
    }

    /// Where the search that is about this is saved, and from where it goes on, if asked for.
    pub fn checkpoints(
        &self,
        about: impl FnOnce() -> Result<About, Failure>,
    ) -> Result<Option<Checkpoints>, Failure> {
        let every = self.checkpoint_every;
        let (folder, checkpoints) = match (&self.checkpoint, &self.resume) {
            (Some(folder), _) => (folder, Checkpoints::begin(folder, every, about()?)),
            (_, Some(folder)) => (folder, Checkpoints::resume(folder, every, about()?)),
            _ => return Ok(None),
        };
        let help = match checkpoints {
            Err(Refused::Taken) => "; --resume goes on with it",
            Err(Refused::Missing) => "; --checkpoint writes one",
            _ => "",
        };
        checkpoints
            .map(Some)
            .map_err(|error| Failure::Input(format!("{}: {error}{help}", folder.display())))
    }
}

/// What a search on this kernel is about, but for the program that is searched.
pub fn about(command: &str, profile: &Profile, options: &Options) -> Result<About, Failure> {
    let mut about = About::default();
    about.line("command", command);
    about.line("kernel", &profile.name);
    about.line("features", format_args!("{:?}", profile.features.words()));
    about.options(options);
    // Another build may step otherwise.
    let program = std::env::current_exe().and_then(std::fs::read);
    let program = program.map_err(|error| Failure::Machine(format!("cowherd itself: {error}")))?;
    about.hashed("build of cowherd", &program);
    Ok(about)
}

/// Says why a search could not be saved, if so.
pub fn tell(checkpoints: Option<&Checkpoints>) {
    if let Some(trouble) = checkpoints.and_then(Checkpoints::trouble) {
        terminal::warn(&format!("{trouble}; what was saved before is still there"));
    }
}
