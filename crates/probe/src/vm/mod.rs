//! A kernel image in QEMU: boots it with cowherd as its `/init`, and reads the results from its serial line.
//!
//! Nothing of the host is touched, and no root is needed. What the guest boots from and writes is held in files without a name, so nothing is
//! left behind, however cowherd ends.

mod boot;
pub mod console;
mod elf;
pub mod held;
mod image;
mod initramfs;
pub mod modules;
pub mod newc;
mod qemu;
mod session;
pub mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::init::Job;
use crate::live;

pub use image::Image;
pub use modules::WANTED;
pub use qemu::{Accelerator, Machine};
pub use session::{Event, Outcome, Session, SessionEnd, first_choice, look, run};

/// A kernel, and the machine to boot it in.
#[derive(Debug)]
pub struct Guest {
    /// The image.
    pub kernel: String,
    /// What it says of itself.
    pub image: Image,
    /// Was there a folder of modules?
    pub has_folder: bool,
    /// The modules that tests can use.
    modules: Vec<modules::Module>,
    /// The machine.
    pub machine: Machine,
    /// How long a boot, or a test, may take.
    pub limit: Duration,
}

impl Guest {
    /// Reads the image and its modules. Without a folder of modules, takes the one beside the image, or the one that this system has for its
    /// release; without any, the guest has what is built in.
    pub fn open(
        kernel: &Path,
        modules: Option<&Path>,
        machine: Machine,
        limit: Duration,
    ) -> Result<Guest, String> {
        let image = image::read(kernel)?;
        let found = modules
            .map(PathBuf::from)
            .or_else(|| beside(kernel, &image));
        let modules = match &found {
            Some(folder) => modules::read(folder, &WANTED)?,
            None => Vec::new(),
        };
        // QEMU is started elsewhere than cowherd some day, and never sees a relative path then.
        let kernel = std::path::absolute(kernel).map_err(|e| e.to_string())?;
        Ok(Guest {
            kernel: kernel.display().to_string(),
            image,
            has_folder: found.is_some(),
            modules,
            machine,
            limit,
        })
    }

    /// Boots to a shell on this terminal.
    pub fn shell(&self) -> Result<(), String> {
        let mut accelerator = first_choice();
        session::look(self, &mut accelerator, &AtomicBool::new(false))?;
        let job = Job {
            tests: Vec::new(),
            options: live::Options::default(),
            limit: 0,
            shell: true,
        };
        let archive = session::archive(&job, &self.modules)?;
        boot::shell(self, &archive, accelerator).map_err(|e| qemu_failed(&e))
    }
}

/// The modules of an image.
fn beside(kernel: &Path, image: &Image) -> Option<PathBuf> {
    // A kernel with everything built in may have a folder that lists none.
    let lists = |folder: &PathBuf| {
        let list = folder.join("modules.dep").metadata();
        list.is_ok_and(|list| list.is_file() && list.len() > 0)
    };
    let beside = kernel.parent()?.join("modules");
    let installed = Path::new("/lib/modules").join(&image.release);
    let known = !image.release.is_empty();
    let all = [Some(beside), known.then_some(installed)];
    all.into_iter().flatten().find(lists)
}

/// QEMU did not start.
fn qemu_failed(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        return format!(
            "there is no {} here; on Debian and Ubuntu the package qemu-system-x86 has it",
            qemu::QEMU
        );
    }
    format!("{}: {error}", qemu::QEMU)
}
