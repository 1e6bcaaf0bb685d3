//! Packages of the distribution.

use anyhow::{Context as _, bail};

use crate::command::{as_root, command, has, output, run};

/// Installs the packages that are missing.
pub fn install(packages: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !has("apt-get") {
        bail!(
            "install these packages, or what your distribution calls them: {}",
            missing.join(" ")
        );
    }
    println!("setup: installing {}", missing.join(" "));
    let install = |quiet: bool| {
        let mut apt = as_root("apt-get");
        apt.args(["install", "--yes", "--no-install-recommends", "-qq"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive");
        if quiet {
            apt.stdout(std::process::Stdio::null());
        }
        apt
    };
    // The lists of packages may be missing or old; then they are read and it is tried again.
    if run(&mut install(true)).is_err() {
        run(as_root("apt-get").args(["update", "-qq"]))?;
        run(&mut install(true)).context("cannot install packages")?;
    }
    Ok(())
}

/// Whether a package is installed.
fn is_installed(package: &str) -> bool {
    let status =
        output(command("dpkg-query").args(["--show", "--showformat", "${Status}", package]));
    status.is_ok_and(|status| status.ends_with(" installed"))
}

/// Whether a package can be installed.
pub fn is_available(package: &str) -> bool {
    let policy = || output(command("apt-cache").args(["policy", package])).unwrap_or_default();
    let has_candidate = |policy: &str| {
        policy
            .lines()
            .any(|line| line.trim().starts_with("Candidate:") && !line.contains("(none)"))
    };
    if has_candidate(&policy()) {
        return true;
    }
    // The lists of packages may never have been read.
    has("apt-get")
        && run(as_root("apt-get").args(["update", "-qq"])).is_ok()
        && has_candidate(&policy())
}
