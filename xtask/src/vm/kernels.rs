//! Kernels of the distribution, fetched, unpacked, cached and never installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::modules;
use crate::{
    command::root,
    suite::{Archive, Suite, find},
};

/// A kernel to test on.
pub struct Wanted {
    /// What it is called here.
    pub name: &'static str,
    /// Where it may be found, best first: a suite and the label of its archive.
    suites: &'static [(&'static str, Archive)],
    /// The rungs on which it has the tests that start a conntracer of their own.
    own_rungs: &'static [&'static str],
}

/// All rungs, as the tests call them.
pub const RUNGS: [&str; 5] = ["auto", "fexit", "kprobe", "kretprobe", "tracepoint"];

/// The kernels, oldest first.
///
/// All tests that share a conntracer run on all rungs of all kernels: that is what differs between
/// kernels. Those that start one of their own, ten seconds each in emulation, run on each rung of one
/// kernel: on the lowest of the oldest, the best of the newest.
pub const KERNELS: [Wanted; 4] = [
    Wanted {
        name: "5.10",
        suites: &[
            ("bullseye-security", Archive::Security),
            ("bullseye", Archive::Main),
        ],
        own_rungs: &["tracepoint"],
    },
    Wanted {
        name: "6.1",
        suites: &[
            ("bookworm-security", Archive::Security),
            ("bookworm", Archive::Main),
        ],
        own_rungs: &["kprobe", "kretprobe"],
    },
    Wanted {
        name: "6.12",
        suites: &[
            ("trixie-security", Archive::Security),
            ("trixie", Archive::Main),
            ("bookworm-backports", Archive::Main),
        ],
        own_rungs: &["fexit"],
    },
    Wanted {
        name: "newest",
        suites: &[("trixie-backports", Archive::Main), ("sid", Archive::Main)],
        own_rungs: &["auto"],
    },
];

impl Wanted {
    /// The name of the test that boots it.
    pub fn test(&self) -> String {
        format!("kernel_{}", self.name.replace('.', "_"))
    }
}

/// A kernel that is here.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// What it is called here.
    pub name: &'static str,
    /// The rungs on which it has the tests that start a conntracer of their own.
    pub own_rungs: &'static [&'static str],
    /// Its version, as its package calls it.
    pub version: String,
    /// Its image.
    pub image: PathBuf,
    /// Its modules that are needed, as the end of an initramfs.
    pub modules: PathBuf,
}

impl Kernel {
    /// Whether it is older than a version.
    pub fn is_older_than(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.split(['.', '-', '+']);
        let mut number = || numbers.next().and_then(|n| n.parse::<u32>().ok());
        let version = (number().unwrap_or(0), number().unwrap_or(0));
        version < (major, minor)
    }
}

fn cache() -> PathBuf {
    root().join("target/vm")
}

/// The kernels that were fetched before.
pub fn cached() -> Vec<Kernel> {
    KERNELS.iter().filter_map(cached_one).collect()
}

fn cached_one(wanted: &Wanted) -> Option<Kernel> {
    let directory = cache().join("kernels").join(wanted.name);
    let version = fs::read_to_string(directory.join("version")).ok()?;
    let image = directory.join("vmlinuz");
    let modules = directory.join("modules.cpio");
    (image.is_file() && modules.is_file()).then_some(Kernel {
        name: wanted.name,
        own_rungs: wanted.own_rungs,
        version,
        image,
        modules,
    })
}

/// Fetches those that are not here. A kernel that cannot be had is left out, and said so.
pub fn fetch() -> Vec<Kernel> {
    let mut kernels = Vec::new();
    for wanted in &KERNELS {
        match cached_one(wanted).map_or_else(|| fetch_one(wanted), Ok) {
            Ok(kernel) => kernels.push(kernel),
            Err(why) => println!("vm: there is no kernel {}: {why:#}", wanted.name),
        }
    }
    kernels
}

fn fetch_one(wanted: &Wanted) -> anyhow::Result<Kernel> {
    let mut reasons = Vec::new();
    for (suite, archive) in wanted.suites {
        let result = Suite::open(suite, *archive).and_then(|suite| unpack(&suite, wanted));
        match result {
            Ok(kernel) => return Ok(kernel),
            Err(why) => reasons.push(format!("{suite}: {why:#}")),
        }
    }
    bail!("{}", reasons.join("; "))
}

/// Downloads the newest one for virtual machines that a suite has.
fn unpack(suite: &Suite, wanted: &Wanted) -> anyhow::Result<Kernel> {
    let image = suite.dependency("linux-image-cloud-amd64", "linux-image-")?;
    let directory = cache().join("kernels").join(wanted.name);
    let unpacked = directory.join("unpacked");
    suite.unpack(&image, &unpacked)?;
    let is_image = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
    };
    if find(&unpacked, &is_image).is_none() {
        // From 7 on image and modules are in packages of their own.
        for part in ["linux-binary-", "linux-modules-"] {
            suite.unpack(&suite.dependency(&image, part)?, &unpacked)?;
        }
    }
    let vmlinuz = find(&unpacked, &is_image).context("there is no kernel image in it")?;
    fs::rename(vmlinuz, directory.join("vmlinuz"))?;
    modules::pack(&unpacked, &directory.join("modules.cpio"))?;
    fs::remove_dir_all(unpacked)?;
    let version = image.trim_start_matches("linux-image-");
    let version = version.trim_end_matches("-cloud-amd64");
    fs::write(directory.join("version"), version)?;
    cached_one(wanted).context("it did not arrive")
}
