//! Modules of a kernel: what the kernels of the distribution need to answer who asks for connections.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::initramfs::archive;
use crate::{
    command::{command, output_bytes},
    suite::find,
};

/// Those that are needed, each behind those that it needs. A kernel that has one built in, or not at all, has no
/// such file.
const MODULES: [&str; 10] = [
    "inet_diag",
    "tcp_diag",
    "udp_diag",
    "unix_diag",
    "libcrc32c",
    "nf_defrag_ipv4",
    "nf_defrag_ipv6",
    "nf_conntrack",
    "nfnetlink",
    "nf_conntrack_netlink",
];

/// Packs those that an unpacked kernel has, for its first process to load in their order.
pub fn pack(unpacked: &Path, into: &Path) -> anyhow::Result<()> {
    let tree = unpacked.join("modules-tree");
    fs::create_dir_all(tree.join("modules"))?;
    let mut names = vec!["modules".to_owned()];
    for (at, module) in MODULES.iter().enumerate() {
        let is_it = |path: &Path| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.split('.').next() == Some(module) && name.contains(".ko"))
        };
        if let Some(found) = find(unpacked, &is_it) {
            let name = format!("modules/{at:02}-{module}.ko");
            fs::write(tree.join(&name), read(&found)?)?;
            names.push(name);
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    archive(&tree, &names, into)
}

/// The bytes of a module, which may be compressed.
fn read(module: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let is_compressed = module.extension().is_some_and(|end| end == "xz");
    if !is_compressed {
        return fs::read(module).with_context(|| format!("cannot read {}", module.display()));
    }
    output_bytes(command("xz").args(["--decompress", "--stdout"]).arg(module))
}
