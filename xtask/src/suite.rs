//! Packages of other suites of the distribution, fetched and unpacked, and never installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::command::{command, output, root, run};

/// The archives of the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archive {
    /// What it released.
    Main,
    /// What was mended since.
    Security,
}

/// A suite of the distribution, read with a configuration of apt's that the system does not know.
pub struct Suite {
    directory: PathBuf,
}

impl Suite {
    /// Reads its lists of packages.
    pub fn open(name: &str, archive: Archive) -> anyhow::Result<Self> {
        let directory = root().join("target/apt").join(name);
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
        println!("setup: reading the packages of {name}");
        run(suite
            .apt("apt-get")
            .args(["update", "-qq", "--error-on=any"]))?;
        Ok(suite)
    }

    fn apt(&self, program: &str) -> Command {
        let mut apt = command(program);
        apt.env("APT_CONFIG", self.directory.join("apt.conf"));
        apt
    }

    /// The package that another one depends on, by the beginning of its name.
    pub fn dependency(&self, package: &str, start: &str) -> anyhow::Result<String> {
        let depends = output(self.apt("apt-cache").args(["depends", package]))?;
        depends
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .find(|name| name.starts_with(start))
            .map(str::to_owned)
            .with_context(|| format!("{package} depends on no {start}…"))
    }

    /// Downloads and unpacks a package.
    pub fn unpack(&self, package: &str, into: &Path) -> anyhow::Result<()> {
        println!("setup: fetching {package}");
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
