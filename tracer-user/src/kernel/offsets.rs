//! Where the running kernel keeps what the programs read.

use tracer_abi::Offsets;
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::btf::{Btf, BtfError};

/// Resolves every field of [`Offsets`]. Fails on the first that this kernel lacks and that the
/// programs cannot do without.
pub fn resolve(btf: &Btf<'_>) -> Result<Offsets, BtfError> {
    let values = Offsets::PATHS
        .iter()
        .map(|path| resolve_path(btf, path))
        .collect::<Result<Vec<u32>, BtfError>>()?;
    // As many words as the structure has fields, which are all words.
    Ok(Offsets::read_from_bytes(values.as_bytes()).unwrap_or(Offsets::UNRESOLVED))
}

fn resolve_path(btf: &Btf<'_>, path: &str) -> Result<u32, BtfError> {
    if let Some(optional) = path.strip_prefix('?') {
        return match resolve_path(btf, optional) {
            Err(BtfError::NotFound(_)) => Ok(Offsets::MISSING),
            other => other,
        };
    }
    if let Some(enumerator) = path.strip_prefix("enum:") {
        return btf.value_of(enumerator);
    }
    if let Some(structure) = path.strip_prefix("size:") {
        return btf.size_of(structure);
    }
    btf.offset_of(path)
}

#[cfg(test)]
mod tests;
