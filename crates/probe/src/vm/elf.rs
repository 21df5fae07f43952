//! A program, as far as it has to be known to carry it into a guest: its loader, and the part of the file that is loaded.

/// Offsets in the header of a 64-bit little-endian file (elf(5)).
const PHOFF: usize = 0x20;
const SHOFF: usize = 0x28;
const PHENTSIZE: usize = 0x36;
const PHNUM: usize = 0x38;
const SHNUM: usize = 0x3c;
const SHSTRNDX: usize = 0x3e;

const PT_LOAD: u64 = 1;
const PT_INTERP: u64 = 3;

/// A program.
#[derive(Debug)]
pub struct Program {
    /// The file without its sections: symbols and debug information are most of it, and the kernel does not load them.
    pub loadable: Vec<u8>,
    /// The dynamic loader that it asks for; a static program has none.
    pub loader: Option<String>,
}

/// Reads a program.
pub fn read(mut bytes: Vec<u8>) -> Result<Program, &'static str> {
    const CUT: &str = "the file is cut off";
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return Err("no 64-bit program");
    }
    let number = |at: usize, size: usize| -> Option<u64> {
        let field = bytes.get(at..at + size)?;
        Some(field.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    };
    let header = |n| -> Option<[u64; 3]> {
        let at = (number(PHOFF, 8)? + n * number(PHENTSIZE, 2)?) as usize;
        // Type, offset in the file, size in the file.
        Some([number(at, 4)?, number(at + 8, 8)?, number(at + 32, 8)?])
    };
    let mut end = 0;
    let mut loader = None;
    for n in 0..number(PHNUM, 2).ok_or(CUT)? {
        let [kind, offset, size] = header(n).ok_or(CUT)?;
        let stop = offset.checked_add(size).ok_or(CUT)? as usize;
        let part = bytes.get(offset as usize..stop).ok_or(CUT)?;
        match kind {
            PT_LOAD => end = end.max(stop),
            PT_INTERP => {
                let name = part.strip_suffix(&[0]).unwrap_or(part);
                loader = Some(String::from_utf8_lossy(name).into_owned());
            }
            _ => {}
        }
    }
    bytes.truncate(end);
    for (at, size) in [(SHOFF, 8), (SHNUM, 2), (SHSTRNDX, 2)] {
        bytes.get_mut(at..at + size).ok_or(CUT)?.fill(0);
    }
    Ok(Program {
        loadable: bytes,
        loader,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_left_of_a_program_runs() {
        let whole = std::fs::read("/bin/true").unwrap();
        let size = whole.len();
        let program = read(whole).unwrap();
        assert!(program.loadable.len() < size);
        let path = std::env::temp_dir().join(format!("cowherd-elf-{}", std::process::id()));
        std::fs::write(&path, &program.loadable).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        let ran = Command::new(&path).status();
        std::fs::remove_file(&path).unwrap();
        assert!(ran.unwrap().success());
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(read(b"#!/bin/sh".to_vec()).is_err());
        assert!(read(b"\x7fELF\x02\x01\x01".to_vec()).is_err());
        let mut cut = std::fs::read("/bin/true").unwrap();
        cut.truncate(0x100);
        assert!(read(cut).is_err());
    }
}
