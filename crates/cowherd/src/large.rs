//! Large searches: saved as they go, or by several processes.

#[cfg(feature = "cluster")]
use cowherd_explore::NoCluster;
use cowherd_explore::{About, Checkpoints, Cluster, Keep, Options, Refused};
use cowherd_model::kernels::Profile;

use crate::cli::Large;
#[cfg(feature = "cluster")]
use crate::exit::Exit;
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

#[cfg(feature = "cluster")]
impl Large {
    /// The processes that search together with this one, if asked for, once all are there. All but the first are silent from then on.
    pub fn cluster(
        &self,
        workers: usize,
        about: impl FnOnce() -> Result<About, Failure>,
    ) -> Result<Option<Cluster>, Failure> {
        let (Some(file), Some(process)) = (&self.cluster.cluster, self.cluster.process) else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
        let lines = text.lines().map(str::trim);
        let hosts: Vec<String> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(String::from)
            .collect();
        let joined = Cluster::join(hosts, process, workers, about()?);
        let cluster = joined.map_err(|error| {
            let text = format!("{}: {error}", file.display());
            match error {
                NoCluster::Missing(..) => {
                    terminal::complain(&text);
                    Failure::Told(Exit::Undetermined)
                }
                _ => Failure::Input(text),
            }
        })?;
        if process != 0 {
            terminal::silence();
        }
        Ok(Some(cluster))
    }
}

#[cfg(not(feature = "cluster"))]
impl Large {
    /// There is no cluster in this build.
    pub fn cluster(
        &self,
        _workers: usize,
        _about: impl FnOnce() -> Result<About, Failure>,
    ) -> Result<Option<Cluster>, Failure> {
        Ok(None)
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

/// Says which process has died, if one has.
pub fn lost(cluster: Option<&Cluster>) {
    #[cfg(feature = "cluster")]
    if let Some(trouble) = cluster.and_then(Cluster::trouble) {
        terminal::complain(&trouble);
    }
    #[cfg(not(feature = "cluster"))]
    let _ = cluster;
}

/// Says why a search could not be saved, if so.
pub fn tell(checkpoints: Option<&Checkpoints>) {
    if let Some(trouble) = checkpoints.and_then(Checkpoints::trouble) {
        terminal::warn(&format!("{trouble}; what was saved before is still there"));
    }
}
