//! Kernel modules: which of them the tests can use, in the order in which they load, and unpacked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What tests use where the kernel has it as modules; a kernel may have any of them built in, or not at all. zram is swap that is done in the call,
/// with compressors that it asks for by name; a loop device is swap that is done later; the servers of a FUSE file and of an nbd device answer when
/// told.
pub const WANTED: [&str; 6] = ["lzo_rle", "lz4", "zram", "loop", "fuse", "nbd"];

/// Which module needs which, from `modules.dep`.
#[derive(Debug, Default)]
pub struct Dependencies {
    /// For each module by name: its file, and the files it needs.
    modules: BTreeMap<String, (String, Vec<String>)>,
}

impl Dependencies {
    /// Reads `modules.dep`: lines of `FILE: FILE...`.
    pub fn parse(text: &str) -> Dependencies {
        let mut modules = BTreeMap::new();
        for line in text.lines() {
            if let Some((file, needs)) = line.split_once(':') {
                let needs = needs.split_whitespace().map(String::from).collect();
                modules.insert(name(file), (file.into(), needs));
            }
        }
        Dependencies { modules }
    }

    /// The files of these modules and of all that they need, each after what it needs itself. Modules that there are not are left out.
    pub fn load_order(&self, wanted: &[&str]) -> Vec<String> {
        let mut order = Vec::new();
        for module in wanted {
            self.visit(module, &mut Vec::new(), &mut order);
        }
        order
    }

    fn visit(&self, module: &str, above: &mut Vec<String>, order: &mut Vec<String>) {
        let Some((file, needs)) = self.modules.get(module) else {
            return;
        };
        // depmod refuses circles; a file that somebody wrote by hand may have them.
        if order.contains(file) || above.contains(file) {
            return;
        }
        above.push(file.clone());
        for needed in needs {
            self.visit(&name(needed), above, order);
        }
        above.pop();
        order.push(file.clone());
    }
}

/// `kernel/crypto/lzo-rle.ko.xz` is the module `lzo_rle`.
fn name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.split('.').next().unwrap_or(base).replace('-', "_")
}

/// A module, unpacked.
#[derive(Debug)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The ELF file.
    pub bytes: Vec<u8>,
}

/// The wanted modules of `folder`, which is laid out as /lib/modules/RELEASE is, in the order in which they load.
pub fn read(folder: &Path, wanted: &[&str]) -> Result<Vec<Module>, String> {
    let list = folder.join("modules.dep");
    let text = std::fs::read_to_string(&list).map_err(|e| {
        let mut message = format!("{}: {e}", list.display());
        if e.kind() == io::ErrorKind::NotFound {
            let _ = write!(
                message,
                "; --modules wants a folder like /lib/modules/RELEASE, in which `depmod` has run"
            );
        }
        message
    })?;
    let dependencies = Dependencies::parse(&text);
    if dependencies.modules.is_empty() {
        return Err(format!(
            "{} lists no module; a kernel that has everything built in needs no --modules",
            list.display()
        ));
    }
    let files = dependencies.load_order(wanted);
    files
        .iter()
        .map(|file| {
            let path = folder.join(file);
            let bytes = unpacked(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(Module {
                name: name(file),
                bytes,
            })
        })
        .collect()
}

/// The contents of a file that may be compressed.
fn unpacked(path: &PathBuf) -> io::Result<Vec<u8>> {
    let packed = std::fs::read(path)?;
    let mut bytes = Vec::new();
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => {
            flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes)?;
        }
        Some("xz") => {
            lzma_rs::xz_decompress(&mut packed.as_slice(), &mut bytes).map_err(io::Error::other)?;
        }
        Some("zst") => {
            ruzstd::decoding::StreamingDecoder::new(packed.as_slice())
                .map_err(io::Error::other)?
                .read_to_end(&mut bytes)?;
        }
        _ => return Ok(packed),
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    const LIST: &str = "\
kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/block/zram/zram.ko.xz: kernel/mm/zsmalloc.ko.xz
kernel/mm/zsmalloc.ko.xz:
kernel/crypto/lzo-rle.ko:
";

    #[test]
    fn a_module_loads_after_what_it_needs() {
        let order = Dependencies::parse(LIST).load_order(&["lzo_rle", "zram", "virtio_blk"]);
        assert_eq!(
            order,
            [
                "kernel/crypto/lzo-rle.ko",
                "kernel/mm/zsmalloc.ko.xz",
                "kernel/drivers/block/zram/zram.ko.xz",
                "kernel/drivers/virtio/virtio_ring.ko",
                "kernel/drivers/virtio/virtio.ko",
                "kernel/drivers/block/virtio_blk.ko",
            ]
        );
    }

    #[test]
    fn what_is_built_in_or_absent_is_left_out() {
        assert!(
            Dependencies::parse(LIST)
                .load_order(&["fuse", "nbd"])
                .is_empty()
        );
    }

    #[test]
    fn a_circle_ends() {
        let list = Dependencies::parse("a.ko: b.ko\nb.ko: a.ko\n");
        assert_eq!(list.load_order(&["a"]), ["b.ko", "a.ko"]);
    }

    #[test]
    fn compressed_modules_are_unpacked() {
        let folder = std::env::temp_dir().join(format!("cowherd-modules-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let contents: Vec<u8> = (0..50_000_u32).map(|n| ((n * n) >> 7) as u8).collect();
        for (tool, extension) in [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")] {
            let Ok(mut packer) = Command::new(tool)
                .arg("-c")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
            else {
                eprintln!("there is no {tool} here: not tried");
                continue;
            };
            let mut input = packer.stdin.take().unwrap();
            let sent = contents.clone();
            let writer = std::thread::spawn(move || input.write_all(&sent));
            let packed = packer.wait_with_output().unwrap().stdout;
            writer.join().unwrap().unwrap();
            assert!(packed.len() < contents.len() * 2 && packed != contents);
            let path = folder.join(format!("m.ko.{extension}"));
            std::fs::write(&path, packed).unwrap();
            assert_eq!(unpacked(&path).unwrap(), contents, "{tool}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_without_modules_dep_is_told() {
        let message = read(Path::new("/nowhere"), &WANTED).unwrap_err();
        assert!(message.contains("depmod"), "{message}");
    }
}
