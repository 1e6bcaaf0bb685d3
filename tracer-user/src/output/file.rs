//! Files that the user named.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::ErrorKind,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, bail};

/// For reading and writing by its owner.
const MODE: u32 = 0o600;

/// Makes a file that only its owner can read. An existing one is overwritten only if `force` says
/// so.
pub fn create(path: &Path, force: bool) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(MODE);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let named = || format!("cannot write {}", path.display());
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} exists; --force overwrites it", path.display())
        }
        Err(error) => return Err(error).with_context(named),
    };
    // What was there before may have been for everybody. A device stays as it is.
    if force && file.metadata().with_context(named)?.is_file() {
        let for_its_owner = Permissions::from_mode(MODE);
        file.set_permissions(for_its_owner).with_context(named)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_kept_unless_forced() {
        let directory =
            std::env::temp_dir().join(format!("conntracer-file-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("records");
        create(&path, false).unwrap();
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        let error = create(&path, false).unwrap_err().to_string();
        assert!(error.ends_with("exists; --force overwrites it"), "{error}");
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        create(&path, true).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
