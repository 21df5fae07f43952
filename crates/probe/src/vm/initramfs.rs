//! What the guest boots from: cowherd as `/init`, the libraries that it is linked with, the modules, and what it is to do.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::elf;
use super::modules::Module;
use super::newc::Archive;
use crate::init::{JOB, Job, MODULES};

/// The archive. `modules` are in the order in which they load.
pub fn build(job: &Job, modules: &[Module]) -> Result<Vec<u8>, String> {
    let mut archive = Archive::default();
    // What init's first words go to.
    archive.device("dev/console", 5, 1);
    for folder in ["proc", "sys", "tmp", "mnt", "root"] {
        archive.folder(folder);
    }
    let cowherd = std::env::current_exe().map_err(|e| format!("cowherd's own file: {e}"))?;
    program(&mut archive, &cowherd, "init")?;
    let mut list = String::new();
    for module in modules {
        let path = format!("{}/{}.ko", MODULES.trim_start_matches('/'), module.name);
        archive.file(&path, 0o644, &module.bytes);
        list.push_str(&module.name);
        list.push('\n');
    }
    archive.file(
        &format!("{}/order", MODULES.trim_start_matches('/')),
        0o644,
        list.as_bytes(),
    );
    if job.shell {
        shell(&mut archive)?;
    }
    let json = serde_json::to_vec(job).map_err(|e| e.to_string())?;
    archive.file(JOB.trim_start_matches('/'), 0o644, &json);
    Ok(archive.finish())
}

/// A program under another name, and its libraries under their own.
fn program(archive: &mut Archive, from: &Path, to: &str) -> Result<(), String> {
    let bytes = std::fs::read(from).map_err(|e| format!("{}: {e}", from.display()))?;
    let program = elf::read(bytes).map_err(|e| format!("{}: {e}", from.display()))?;
    archive.file(to, 0o755, &program.loadable);
    if program.loader.is_some() {
        for library in libraries(from)? {
            let bytes = std::fs::read(&library).map_err(|e| format!("{library}: {e}"))?;
            archive.file(library.trim_start_matches('/'), 0o755, &bytes);
        }
    }
    Ok(())
}

/// The loader of a dynamically linked program, and the libraries that it finds.
fn libraries(program: &Path) -> Result<Vec<String>, String> {
    let out = Command::new("ldd").arg(program).output().map_err(|e| {
        format!("ldd, to find the libraries that cowherd is linked with: {e}; a static cowherd does without")
    })?;
    if !out.status.success() {
        let why = String::from_utf8_lossy(&out.stderr);
        return Err(format!("ldd {}: {}", program.display(), why.trim()));
    }
    listed(&String::from_utf8_lossy(&out.stdout))
}

/// The files in ldd's answer: `NAME => FILE (ADDRESS)`, or `FILE (ADDRESS)` of the loader. The vDSO has no file.
fn listed(text: &str) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.ends_with("not found") {
            return Err(format!("ldd: {line}"));
        }
        let file = line.split(" => ").last().unwrap_or(line);
        let file = file.split(" (").next().unwrap_or(file);
        if file.starts_with('/') {
            files.push(file.to_string());
        }
    }
    Ok(files)
}

/// A shell for `--shell`: busybox, or the bare shell of this machine.
fn shell(archive: &mut Archive) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |name: &str| -> Option<PathBuf> {
        let mut folders = std::env::split_paths(&path);
        folders.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file()))
    };
    archive.link("bin/cowherd", "/init");
    if let Some(busybox) = find("busybox") {
        return program(archive, &busybox, "bin/busybox");
    }
    program(archive, Path::new("/bin/sh"), "bin/sh")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_with_a_file() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f3e)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f3f)\n";
        assert_eq!(
            listed(text).unwrap(),
            [
                "/lib/x86_64-linux-gnu/libc.so.6",
                "/lib64/ld-linux-x86-64.so.2"
            ]
        );
    }

    #[test]
    fn a_library_that_is_missing_is_an_error() {
        assert!(listed("\tlibodd.so => not found\n").is_err());
    }
}
