//! Files below a root that may be of somebody who wishes us ill.
//!
//! Links lead nowhere out of the root, and what would have to be waited for is not opened.

use std::{
    fs::File,
    io::{Error, ErrorKind, Result},
    os::fd::AsRawFd as _,
};

use nix::{
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::Mode,
};

/// Opens a regular file.
pub fn file(root: &str, path: &str) -> Result<File> {
    file_in(&File::open(root)?, path)
}

/// The same below a root that is open.
pub fn file_in(root: &File, path: &str) -> Result<File> {
    let file = open(root, path, OFlag::O_NONBLOCK)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(Error::new(ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// The names of what is in a directory, the first `limit` of them that are text; none where there is no
/// such directory.
pub fn names(root: &str, path: &str, limit: usize) -> Vec<String> {
    let list = || -> Result<Vec<String>> {
        let directory = open(&File::open(root)?, path, OFlag::O_DIRECTORY)?;
        let entries = std::fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
        let names = entries.flatten().map(|entry| entry.file_name());
        let names = names.filter_map(|name| name.into_string().ok());
        Ok(names.take(limit).collect())
    };
    list().unwrap_or_default()
}

fn open(root: &File, path: &str, flags: OFlag) -> Result<File> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC)
        .mode(Mode::empty())
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(File::from(openat2(root, path, how)?))
}
