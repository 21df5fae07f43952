//! What a kernel image calls itself: the version string of a bzImage's header, or the banner of an image that is not compressed.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::release::Banner;

/// Reads the banner of an image; none: it is no kernel, or compressed in a way that hides it.
///
/// # Errors
///
/// If the file cannot be read.
pub fn banner(path: &Path) -> io::Result<Option<Banner>> {
    let mut file = std::fs::File::open(path)?;
    if let Some(text) = boot_header(&mut file)? {
        return Ok(of_boot_header(&text));
    }
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(of_linux_banner(&bytes))
}

/// The x86 boot protocol: `HdrS` at 0x202, and at 0x20e where the version string is, less 0x200.
fn boot_header(file: &mut std::fs::File) -> io::Result<Option<String>> {
    let mut head = [0; 0x210];
    match file.read_exact(&mut head) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let at = u16::from_le_bytes([head[0x20e], head[0x20f]]);
    if &head[0x202..0x206] != b"HdrS" || at == 0 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(u64::from(at) + 0x200))?;
    let mut text = Vec::new();
    file.take(512).read_to_end(&mut text)?;
    let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
    Ok(Some(String::from_utf8_lossy(&text[..end]).into_owned()))
}

/// `6.1.0-31-amd64 (debian-kernel@...) #1 SMP ... Debian 6.1.128-1 (2025-02-07)`
fn of_boot_header(text: &str) -> Option<Banner> {
    let release = text.split_whitespace().next()?;
    let version = text.find('#').map_or("", |at| &text[at..]);
    Some(Banner {
        release: release.into(),
        version: version.trim().into(),
        signature: None,
    })
}

/// `Linux version 6.1.0-31-amd64 (...) (gcc ...) #1 SMP ...`, somewhere in the image.
fn of_linux_banner(bytes: &[u8]) -> Option<Banner> {
    const MARK: &[u8] = b"Linux version ";
    let mut places = bytes
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, window)| *window == MARK)
        .map(|(at, _)| at + MARK.len());
    places.find_map(|at| {
        let rest = &bytes[at..bytes.len().min(at + 512)];
        // `Linux version %s`, with which it is printed, is no version.
        if !rest.first()?.is_ascii_digit() {
            return None;
        }
        let end = rest.iter().position(|b| *b == 0 || *b == b'\n')?;
        of_boot_header(&String::from_utf8_lossy(&rest[..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str =
        "6.1.0-50-amd64 (x@y) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06-01)";

    #[test]
    fn a_bzimage_tells_in_its_header() {
        let mut image = vec![0; 0x400];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x0100_u16.to_le_bytes());
        image[0x300..0x300 + VERSION.len()].copy_from_slice(VERSION.as_bytes());
        let path = std::env::temp_dir().join(format!("cowherd-image-{}", std::process::id()));
        std::fs::write(&path, &image).unwrap();
        let banner = banner(&path).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(banner.release, "6.1.0-50-amd64");
        assert_eq!(
            banner.version,
            "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06-01)"
        );
    }

    #[test]
    fn an_image_that_is_not_compressed_tells_in_its_banner() {
        let image = format!("\0Linux version %s\0\0Linux version {VERSION}\n\0");
        assert_eq!(
            of_linux_banner(image.as_bytes()).unwrap().release,
            "6.1.0-50-amd64"
        );
        assert_eq!(of_linux_banner(b"no kernel"), None);
    }
}
