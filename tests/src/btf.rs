//! What the types of the running kernel say of its functions.

/// Where the kernel shows its types.
const KERNEL_TYPES: &str = "/sys/kernel/btf/vmlinux";
/// `struct btf_type` without what follows it.
const TYPE_LEN: usize = 12;
/// `BTF_KIND_FUNC`
const FUNCTION: u32 = 12;

/// The number of a function.
///
/// # Panics
/// If the kernel shows no types.
#[must_use]
pub fn function(name: &str) -> Option<u32> {
    let bytes = std::fs::read(KERNEL_TYPES)
        .unwrap_or_else(|error| panic!("cannot read {KERNEL_TYPES}: {error}"));
    let types = Types::of(&bytes)?;
    let mut at = 0;
    for number in 1.. {
        let [name_at, info, _] = [0, 4, 8].map(|field| word(types.types, at + field));
        let (kind, members) = (info? >> 24 & 0x1f, info? & 0xffff);
        if kind == FUNCTION && types.is_named(name_at?, name) {
            return Some(number);
        }
        at += TYPE_LEN + len_behind(kind, usize::try_from(members).ok()?);
    }
    None
}

/// The parts of the file.
struct Types<'a> {
    types: &'a [u8],
    names: &'a [u8],
}

impl<'a> Types<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let [header, types_at, types_len, names_at, names_len] =
            [4, 8, 12, 16, 20].map(|at| word(bytes, at));
        let part = |at: Option<u32>, len: Option<u32>| {
            let start = usize::try_from(header?.checked_add(at?)?).ok()?;
            bytes.get(start..start.checked_add(usize::try_from(len?).ok()?)?)
        };
        Some(Self {
            types: part(types_at, types_len)?,
            names: part(names_at, names_len)?,
        })
    }

    fn is_named(&self, at: u32, name: &str) -> bool {
        let rest = usize::try_from(at).ok().and_then(|at| self.names.get(at..));
        let rest = rest.and_then(|rest| rest.strip_prefix(name.as_bytes()));
        rest.is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// How much follows a type of a kind with so many members.
fn len_behind(kind: u32, members: usize) -> usize {
    match kind {
        // Numbers, variables, tags.
        1 | 14 | 17 => 4,
        // Arrays.
        3 => 12,
        // Structures, unions, sections, enumerations of 64 bits.
        4 | 5 | 15 | 19 => 12 * members,
        // Enumerations, parameters.
        6 | 13 => 8 * members,
        _ => 0,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}
