//! What is odd about an executable.

use serde::{Deserialize, Serialize};

use crate::record::is_false;

/// Where packages put executables. What is elsewhere somebody has put there by hand, or a build, or
/// an intruder.
pub const PACKAGE_PATHS: [&str; 14] = [
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/libx32/",
    "/opt/",
    "/snap/",
    "/var/lib/snapd/",
    "/var/lib/flatpak/",
    "/nix/store/",
    "/gnu/store/",
    "/ostree/",
];

/// Whether it is where packages put executables.
#[must_use]
pub fn is_in_package_path(path: &str) -> bool {
    PACKAGE_PATHS.iter().any(|start| path.starts_with(start))
}

/// The last part of a path.
#[must_use]
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What is odd about an executable, by the names of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Flags {
    /// It has no name in any file system.
    #[serde(rename = "exe_deleted", skip_serializing_if = "is_false")]
    pub is_deleted: bool,
    /// It never had one: it is an anonymous file.
    #[serde(rename = "exe_memfd", skip_serializing_if = "is_false")]
    pub is_memfd: bool,
    /// It is not where packages put theirs.
    #[serde(rename = "exe_unpackaged", skip_serializing_if = "is_false")]
    pub is_unpackaged: bool,
}

impl Flags {
    /// What is odd about one or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            is_deleted: self.is_deleted || other.is_deleted,
            is_memfd: self.is_memfd || other.is_memfd,
            is_unpackaged: self.is_unpackaged || other.is_unpackaged,
        }
    }

    /// As it stands in a table, with a blank before it; the first letters only where there is no room
    /// for the words.
    #[must_use]
    pub fn label(self, room: usize) -> String {
        let words = [
            // What never had a name has none now.
            (self.is_deleted && !self.is_memfd, "deleted"),
            (self.is_memfd, "memfd"),
            (self.is_unpackaged, "unpackaged"),
        ];
        let words = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word);
        let words: Vec<&str> = words.collect();
        if words.is_empty() {
            return String::new();
        }
        let whole = format!(" [{}]", words.join(","));
        if whole.len() <= room {
            return whole;
        }
        let letters: String = words.iter().filter_map(|word| word.get(..1)).collect();
        format!(" [{letters}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_put_executables_in_few_places() {
        for packaged in [
            "/usr/bin/curl",
            "/lib64/ld.so",
            "/nix/store/x/bin/y",
            "/opt/a/b",
        ] {
            assert!(is_in_package_path(packaged), "{packaged}");
        }
        for other in [
            "/tmp/x",
            "/home/a/bin/x",
            "/usrx/y",
            "/dev/shm/x",
            "/root/x",
            "usr/bin/x",
        ] {
            assert!(!is_in_package_path(other), "{other}");
        }
    }

    #[test]
    fn flags_are_words_where_there_is_room_for_them() {
        let flags = |is_deleted, is_memfd, is_unpackaged| Flags {
            is_deleted,
            is_memfd,
            is_unpackaged,
        };
        for (flags, room, label) in [
            (flags(false, false, false), 0, ""),
            (flags(true, false, false), 10, " [deleted]"),
            (flags(true, false, false), 9, " [d]"),
            (flags(true, true, false), 99, " [memfd]"),
            (flags(true, false, true), 99, " [deleted,unpackaged]"),
            (flags(true, false, true), 5, " [du]"),
        ] {
            assert_eq!(flags.label(room), label);
        }
    }
}
