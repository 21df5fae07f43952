//! A kernel image: is it one, for which architecture, of which release?

use std::path::Path;

/// What the image says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `6.1.0-50-cloud-amd64`, if it says so.
    pub release: Option<String>,
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
        return Ok(Image {
            release: release(bytes),
        });
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

/// The version string, up to its first space; the header has its place, less 0x200.
fn release(bytes: &[u8]) -> Option<String> {
    let place = bytes.get(0x20e..0x210)?;
    let at = usize::from(u16::from_le_bytes([place[0], place[1]]));
    if at == 0 {
        return None;
    }
    let text = bytes.get(at + 0x200..)?;
    let end = text.iter().position(|b| *b == 0 || *b == b' ')?;
    let release = std::str::from_utf8(&text[..end]).ok()?;
    (!release.is_empty() && release.len() < 128).then(|| release.into())
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
        let image = header(&bzimage("6.1.0-50-cloud-amd64 (x@y) #1 SMP")).unwrap();
        assert_eq!(image.release.as_deref(), Some("6.1.0-50-cloud-amd64"));
    }

    #[test]
    fn a_release_that_is_cut_off_is_none() {
        let mut bytes = bzimage("6.1");
        bytes[0x20e..0x210].copy_from_slice(&0xfff0_u16.to_le_bytes());
        assert_eq!(header(&bytes).unwrap().release, None);
    }

    #[test]
    fn what_is_no_x86_kernel_is_told_apart() {
        let mut arm = vec![0; 64];
        arm[56..60].copy_from_slice(b"ARM\x64");
        assert!(header(&arm).unwrap_err().contains("arm64"));
        assert!(header(b"\x7fELF").unwrap_err().contains("vmlinux"));
        assert!(header(b"").unwrap_err().contains("no Linux kernel image"));
    }
}
