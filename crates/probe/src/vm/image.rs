//! A kernel image: is it one, for which architecture, of which release?

use std::path::Path;

/// What the image says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// As `uname -r` will have it: `6.1.0-50-cloud-amd64`. Empty if it does not say.
    pub release: String,
    /// As `uname -v` will have it: `#1 SMP Debian 6.1.176-1 (2026-11-16)`.
    pub version: String,
}

/// Reads an image's header. The virtual machine is an x86-64 one, as cowherd itself must be.
pub fn read(path: &Path) -> Result<Image, String> {
    if !cfg!(target_arch = "x86_64") {
        return Err(
            "cowherd boots kernels for x86-64 only, and is built for something else here".into(),
        );
    }
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    header(&bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// The header of a bzImage (Documentation/arch/x86/boot.rst).
fn header(bytes: &[u8]) -> Result<Image, String> {
    let is = |at: usize, magic: &[u8]| bytes.get(at..at + magic.len()) == Some(magic);
    if is(0x202, b"HdrS") {
        if is_32_bit(bytes) {
            return Err("a 32-bit kernel; cowherd boots kernels for x86-64".into());
        }
        let (release, version) = text(bytes).unwrap_or_default();
        return Ok(Image { release, version });
    }
    let message = if is(56, b"ARM\x64") {
        "a kernel for arm64; cowherd boots kernels for x86-64"
    } else if is(0, b"\x7fELF") {
        "an ELF file; cowherd boots the bzImage (vmlinuz), not vmlinux"
    } else {
        "no Linux kernel image for x86-64 (bzImage)"
    };
    Err(message.into())
}

/// Has it no 64-bit entry point? Told since version 2.12 of the protocol, by XLF_KERNEL_64.
fn is_32_bit(bytes: &[u8]) -> bool {
    const XLF_KERNEL_64: u8 = 1;
    let version = bytes.get(0x206..0x208).map(|v| [v[0], v[1]]);
    let version = version.map_or(0, u16::from_le_bytes);
    version >= 0x20c && bytes.get(0x236).is_some_and(|f| f & XLF_KERNEL_64 == 0)
}

/// The release and the version in the header's text: `6.1.0-50-cloud-amd64 (builder@host) #1 SMP ...`. The header has its place, less 0x200.
fn text(bytes: &[u8]) -> Option<(String, String)> {
    const LONGEST: usize = 512;
    let place = bytes.get(0x20e..0x210)?;
    let at = usize::from(u16::from_le_bytes([place[0], place[1]]));
    if at == 0 {
        return None;
    }
    let text = bytes.get(at + 0x200..)?;
    let end = text.iter().take(LONGEST).position(|b| *b == 0)?;
    let text = std::str::from_utf8(&text[..end]).ok()?;
    let release = text.split(' ').next()?;
    let version = text.find('#').map_or("", |at| &text[at..]);
    Some((release.into(), version.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bzimage(release: &str) -> Vec<u8> {
        let mut bytes = vec![0; 0x1000];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0x300_u16.to_le_bytes());
        bytes[0x500..0x500 + release.len()].copy_from_slice(release.as_bytes());
        bytes
    }

    #[test]
    fn a_bzimage_tells_its_release() {
        let image = header(&bzimage(
            "6.1.0-50-cloud-amd64 (x@y) #1 SMP Debian 6.1.176-1",
        ))
        .unwrap();
        assert_eq!(image.release, "6.1.0-50-cloud-amd64");
        assert_eq!(image.version, "#1 SMP Debian 6.1.176-1");
    }

    #[test]
    fn a_text_that_is_cut_off_is_none() {
        let mut bytes = bzimage("6.1");
        bytes[0x20e..0x210].copy_from_slice(&0xfff0_u16.to_le_bytes());
        assert_eq!(header(&bytes).unwrap().release, "");
    }

    #[test]
    fn what_is_no_x86_kernel_is_told_apart() {
        let mut arm = vec![0; 64];
        arm[56..60].copy_from_slice(b"ARM\x64");
        assert!(header(&arm).unwrap_err().contains("arm64"));
        let mut old = bzimage("6.1.0-50-686");
        old[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
        assert!(header(&old).unwrap_err().contains("32-bit"));
        old[0x236] = 1;
        assert!(header(&old).is_ok());
        assert!(header(b"\x7fELF").unwrap_err().contains("vmlinux"));
        assert!(header(b"").unwrap_err().contains("no Linux kernel image"));
    }
}
