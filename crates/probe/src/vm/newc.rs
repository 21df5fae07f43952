//! The newc format of cpio, which the kernel unpacks an initramfs from (Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! An entry is a header of hexadecimal fields, the name and the contents; each of the three ends on a multiple of four.

use std::collections::BTreeSet;

const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const LINK: u32 = 0o120_000;

/// An archive that grows.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// A file, and the folders above it. `path` has no leading slash.
    pub fn file(&mut self, path: &str, mode: u32, contents: &[u8]) {
        self.parents(path);
        self.entry(path, REGULAR | mode, 1, (0, 0), contents);
    }

    /// A folder, and those above it.
    pub fn folder(&mut self, path: &str) {
        self.parents(path);
        if self.folders.insert(path.into()) {
            self.entry(path, FOLDER | 0o755, 2, (0, 0), &[]);
        }
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.parents(path);
        self.entry(path, LINK | 0o777, 1, (0, 0), target.as_bytes());
    }

    /// A character device.
    pub fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.parents(path);
        self.entry(path, CHARACTER_DEVICE | 0o600, 1, (major, minor), &[]);
    }

    /// The whole archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, 1, (0, 0), &[]);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.folder(parent);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, links: u32, device: (u32, u32), contents: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(contents.len()).expect("a file of an initramfs is below 4 GiB");
        let name_size = path.len() as u32 + 1;
        let fields = [
            self.entries, // inode
            mode,
            0, // uid
            0, // gid
            links,
            0, // mtime
            size,
            0, // device of the file
            0,
            device.0,
            device.1,
            name_size,
            0, // no checksum in this format
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(contents);
        self.align();
    }

    fn align(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn sample() -> Vec<u8> {
        let mut archive = Archive::default();
        archive.device("dev/console", 5, 1);
        archive.file("init", 0o755, b"#!/bin/sh\n");
        archive.file("cowherd/modules/a.ko", 0o644, &[7; 5]);
        archive.file("cowherd/modules/b.ko", 0o644, &[]);
        archive.finish()
    }

    #[test]
    fn an_entry_is_a_header_a_name_and_contents_each_aligned() {
        let mut archive = Archive::default();
        archive.file("ab", 0o644, b"xyz12");
        let bytes = archive.finish();
        let header = "070701\
            00000001000081A4000000000000000000000001000000000000000500000000000000000000000000000000\
            0000000300000000";
        assert_eq!(header.len(), 110);
        assert_eq!(&bytes[..110], header.as_bytes());
        // 110 + "ab\0" is 113, aligned to 116.
        assert_eq!(&bytes[110..116], b"ab\0\0\0\0");
        assert_eq!(&bytes[116..124], b"xyz12\0\0\0");
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_once() {
        let text = String::from_utf8_lossy(&sample()).into_owned();
        let at = |name: &str| text.find(name).unwrap();
        assert!(at("cowherd\0") < at("cowherd/modules\0"));
        assert!(at("cowherd/modules\0") < at("cowherd/modules/a.ko\0"));
        assert_eq!(text.matches("cowherd/modules\0").count(), 1);
    }

    #[test]
    fn cpio_reads_it() {
        let Ok(mut cpio) = Command::new("cpio")
            .args(["-t", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        else {
            eprintln!("there is no cpio here: not compared");
            return;
        };
        cpio.stdin.take().unwrap().write_all(&sample()).unwrap();
        let out = cpio.wait_with_output().unwrap();
        assert!(out.status.success());
        let names = String::from_utf8(out.stdout).unwrap();
        let names: Vec<&str> = names.lines().collect();
        assert_eq!(
            names,
            [
                "dev",
                "dev/console",
                "init",
                "cowherd",
                "cowherd/modules",
                "cowherd/modules/a.ko",
                "cowherd/modules/b.ko"
            ]
        );
    }
}
