//! Kernels of the distribution, fetched, unpacked, cached and never installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::modules;
use crate::command::{command, output, root, run};

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

/// The archives of the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Archive {
    Main,
    Security,
}

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
        let result = Suite::open(suite, *archive).and_then(|suite| suite.kernel(wanted));
        match result {
            Ok(kernel) => return Ok(kernel),
            Err(why) => reasons.push(format!("{suite}: {why:#}")),
        }
    }
    bail!("{}", reasons.join("; "))
}

/// A suite of the distribution, read with a configuration of apt's that the system does not know.
struct Suite {
    directory: PathBuf,
}

impl Suite {
    fn open(name: &str, archive: Archive) -> anyhow::Result<Self> {
        let directory = cache().join("apt").join(name);
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(directory.join(part))?;
        }
        fs::write(directory.join("status"), "")?;
        let uri = archive_uri(archive)?;
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
        fs::write(
            directory.join("sources.list"),
            format!("deb [signed-by={keyring} arch=amd64] {uri} {name} main\n"),
        )?;
        let at = directory.display();
        fs::write(
            directory.join("apt.conf"),
            format!(
                "Dir::Etc::sourcelist \"{at}/sources.list\";\n\
                 Dir::Etc::sourceparts \"/dev/null\";\n\
                 Dir::State::lists \"{at}/lists\";\n\
                 Dir::State::status \"{at}/status\";\n\
                 Dir::Cache \"{at}/cache\";\n\
                 APT::Architecture \"amd64\";\n\
                 APT::Sandbox::User \"root\";\n"
            ),
        )?;
        let suite = Self { directory };
        println!("vm: reading the packages of {name}");
        run(suite
            .apt("apt-get")
            .args(["update", "-qq", "--error-on=any"]))?;
        Ok(suite)
    }

    fn apt(&self, program: &str) -> std::process::Command {
        let mut apt = command(program);
        apt.env("APT_CONFIG", self.directory.join("apt.conf"));
        apt
    }

    /// Downloads the newest kernel for virtual machines.
    fn kernel(&self, wanted: &Wanted) -> anyhow::Result<Kernel> {
        let image = self.dependency("linux-image-cloud-amd64", "linux-image-")?;
        let directory = cache().join("kernels").join(wanted.name);
        let unpacked = directory.join("unpacked");
        self.unpack(&image, &unpacked)?;
        let is_image = |path: &Path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
        };
        if find(&unpacked, &is_image).is_none() {
            // From 7 on image and modules are in packages of their own.
            for part in ["linux-binary-", "linux-modules-"] {
                self.unpack(&self.dependency(&image, part)?, &unpacked)?;
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

    /// The package that another one depends on, by the beginning of its name.
    fn dependency(&self, package: &str, start: &str) -> anyhow::Result<String> {
        let depends = output(self.apt("apt-cache").args(["depends", package]))?;
        depends
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .find(|name| name.starts_with(start))
            .map(str::to_owned)
            .with_context(|| format!("{package} depends on no {start}…"))
    }

    /// Downloads and unpacks a package.
    fn unpack(&self, package: &str, into: &Path) -> anyhow::Result<()> {
        println!("vm: fetching {package}");
        fs::create_dir_all(into)?;
        run(self
            .apt("apt-get")
            .args(["download", "-qq", package])
            .current_dir(into))?;
        let archive = find(into, &|path| path.extension().is_some_and(|e| e == "deb"))
            .context("the package did not arrive")?;
        run(command("dpkg-deb").arg("--extract").arg(&archive).arg(into))?;
        fs::remove_file(archive)?;
        Ok(())
    }
}

/// The first file below a directory that is wanted.
pub fn find(directory: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    let mut below = Vec::new();
    for path in entries.map(|entry| entry.path()) {
        if path.is_file() && is_wanted(&path) {
            return Some(path);
        }
        if path.is_dir() && !path.is_symlink() {
            below.push(path);
        }
    }
    below.iter().find_map(|path| find(path, is_wanted))
}

/// Where this machine gets the distribution from.
fn archive_uri(archive: Archive) -> anyhow::Result<String> {
    let format = "$(ORIGIN)|$(LABEL)|$(REPO_URI)";
    let targets = output(command("apt-get").args(["indextargets", "--format", format]))?;
    let start = match archive {
        Archive::Main => "Debian|Debian|",
        Archive::Security => "Debian|Debian-Security|",
    };
    targets
        .lines()
        .find_map(|line| line.strip_prefix(start))
        .map(str::to_owned)
        .context("this machine does not get Debian's packages")
}
