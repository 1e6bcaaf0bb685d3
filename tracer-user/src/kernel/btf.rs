//! The kernel's own description of its types, as far as the loader needs it.
//!
//! aya reads BTF too, but keeps the members of structures to itself. The crates that read all of it
//! take twenty times as long as this and a tool that is started on an incident should be there at
//! once; they serve as the oracle of the tests.

use std::{collections::HashMap, fmt};

/// A parsed BTF section, e.g. `/sys/kernel/btf/vmlinux`.
///
/// Format: `Documentation/bpf/btf.rst` of the kernel.
pub struct Btf<'a> {
    strings: &'a [u8],
    /// Type id → its record.
    types: Vec<Record<'a>>,
    /// (kind, name) → type id. Of several types of one name the first.
    names: HashMap<(u32, &'a [u8]), u32>,
}

/// One type: the common three words and what follows them.
#[derive(Clone, Copy)]
struct Record<'a> {
    name: u32,
    info: u32,
    /// Size or type id, by kind.
    size_or_type: u32,
    rest: &'a [u8],
}

/// Why BTF could not be used.
#[derive(Debug, PartialEq, Eq)]
pub enum BtfError {
    /// The bytes end before byte `0`.
    Truncated(usize),
    /// The bytes do not begin like BTF.
    NotBtf,
    /// A kind of type newer than this reader.
    UnknownKind(u32),
    /// No structure, enumeration or member of this name.
    NotFound(String),
    /// The member is a bit field.
    BitField(String),
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(at) => write!(f, "the type information ends at byte {at}"),
            Self::NotBtf => write!(f, "not type information"),
            Self::UnknownKind(kind) => write!(f, "unknown kind of type {kind}"),
            Self::NotFound(path) => write!(f, "this kernel has no {path}"),
            Self::BitField(path) => write!(f, "{path} is a bit field in this kernel"),
        }
    }
}

impl std::error::Error for BtfError {}

mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const FLOAT: u32 = 16;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

const MAGIC: u16 = 0xeb9f;
/// How the names of the types of tracepoints begin.
const TRACEPOINT: &str = "btf_trace_";
/// How deep typedefs and qualifiers may nest; C code stays far below.
const DEPTH_MAX: u32 = 32;
/// In how many structures and unions one member is looked for, the anonymous ones in each other
/// included; C code stays far below. A limit of the depth alone would leave time without end where
/// one contains itself twice.
const SEARCHED_MAX: u32 = 256;

impl<'a> Btf<'a> {
    /// Reads a BTF section in this machine's byte order.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        if bytes.get(..2) != Some(&MAGIC.to_ne_bytes()) {
            return Err(BtfError::NotBtf);
        }
        let header = word(bytes, 4)? as usize;
        let section = |offset: usize, len: usize| {
            let start = header.saturating_add(offset);
            let end = start.saturating_add(len);
            bytes
                .get(start..end)
                .ok_or(BtfError::Truncated(bytes.len()))
        };
        let mut types = section(word(bytes, 8)? as usize, word(bytes, 12)? as usize)?;
        let strings = section(word(bytes, 16)? as usize, word(bytes, 20)? as usize)?;
        let mut btf = Self {
            strings,
            // Type id 0 is void.
            types: vec![Record {
                name: 0,
                info: 0,
                size_or_type: 0,
                rest: &[],
            }],
            names: HashMap::new(),
        };
        while !types.is_empty() {
            let (record, behind) = Record::split(types)?;
            btf.add(record);
            types = behind;
        }
        Ok(btf)
    }

    fn add(&mut self, record: Record<'a>) {
        let id = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        self.types.push(record);
        let kind = record.kind();
        let name = self.name(record.name);
        let is_tracepoint = kind == kind::TYPEDEF && name.starts_with(TRACEPOINT.as_bytes());
        if is_tracepoint || matches!(kind, kind::STRUCT | kind::ENUM | kind::FUNC) {
            self.names.entry((kind, name)).or_insert(id);
        }
    }

    fn name(&self, offset: u32) -> &'a [u8] {
        let from = self.strings.get(offset as usize..).unwrap_or_default();
        from.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn find(&self, kind: u32, name: &str) -> Result<Record<'a>, BtfError> {
        self.names
            .get(&(kind, name.as_bytes()))
            .and_then(|id| self.types.get(*id as usize))
            .copied()
            .ok_or_else(|| BtfError::NotFound(name.to_owned()))
    }

    /// Size of a structure in bytes.
    pub fn size_of(&self, name: &str) -> Result<u32, BtfError> {
        Ok(self.find(kind::STRUCT, name)?.size_or_type)
    }

    /// Offset in bytes of a member, given as `structure.member.member`; members of anonymous
    /// structures and unions count as members of what contains them.
    pub fn offset_of(&self, path: &str) -> Result<u32, BtfError> {
        let not_found = || BtfError::NotFound(path.to_owned());
        let mut names = path.split('.');
        let mut inside = self.find(kind::STRUCT, names.next().unwrap_or_default())?;
        let mut offset = 0;
        for name in names {
            let mut left = SEARCHED_MAX;
            let member = self
                .member(inside, name.as_bytes(), &mut left)?
                .ok_or_else(not_found)?;
            if member.is_bit_field {
                return Err(BtfError::BitField(path.to_owned()));
            }
            offset = sum(offset, member.offset)?;
            inside = self.strip(member.type_id).ok_or_else(not_found)?;
        }
        Ok(offset)
    }

    /// Value of an enumerator, given as `enumeration.enumerator`.
    pub fn value_of(&self, path: &str) -> Result<u32, BtfError> {
        let not_found = || BtfError::NotFound(path.to_owned());
        let (name, enumerator) = path.split_once('.').ok_or_else(not_found)?;
        let record = self.find(kind::ENUM, name)?;
        for index in 0..record.count() {
            let at = index * 8;
            if self.name(word(record.rest, at)?) == enumerator.as_bytes() {
                return word(record.rest, at + 4);
            }
        }
        Err(not_found())
    }

    /// How many parameters a kernel function has; `None` where there is no such function.
    pub fn parameters_of(&self, function: &str) -> Option<usize> {
        let function = self.find(kind::FUNC, function).ok()?;
        let prototype = self.types.get(function.size_or_type as usize)?;
        (prototype.kind() == kind::FUNC_PROTO).then(|| prototype.count())
    }

    /// What a tracepoint hands over, a letter each: `p` a pointer, `i` a number. `None` where there is
    /// no such tracepoint.
    pub fn arguments_of(&self, tracepoint: &str) -> Option<String> {
        let handler = self
            .find(kind::TYPEDEF, &format!("{TRACEPOINT}{tracepoint}"))
            .ok()?;
        let pointer = self.types.get(handler.size_or_type as usize)?;
        let prototype = self.types.get(pointer.size_or_type as usize)?;
        if pointer.kind() != kind::PTR || prototype.kind() != kind::FUNC_PROTO {
            return None;
        }
        // The first is the handler's own data.
        (1..prototype.count())
            .map(|index| {
                let type_id = word(prototype.rest, index * 8 + 4).ok()?;
                let is_pointer = self.strip(type_id)?.kind() == kind::PTR;
                Some(if is_pointer { 'p' } else { 'i' })
            })
            .collect()
    }

    /// `left`: how many structures and unions may still be searched.
    fn member(
        &self,
        inside: Record<'a>,
        name: &[u8],
        left: &mut u32,
    ) -> Result<Option<Member>, BtfError> {
        if *left == 0 || !matches!(inside.kind(), kind::STRUCT | kind::UNION) {
            return Ok(None);
        }
        *left -= 1;
        for index in 0..inside.count() {
            let member = inside.member(index)?;
            let found = self.name(member.name);
            if found == name {
                return Ok(Some(member));
            }
            if found.is_empty()
                && let Some(anonymous) = self.strip(member.type_id)
                && let Some(inner) = self.member(anonymous, name, left)?
            {
                return Ok(Some(Member {
                    offset: sum(member.offset, inner.offset)?,
                    ..inner
                }));
            }
        }
        Ok(None)
    }

    /// The type behind typedefs and qualifiers.
    fn strip(&self, mut id: u32) -> Option<Record<'a>> {
        for _ in 0..DEPTH_MAX {
            let record = *self.types.get(id as usize)?;
            match record.kind() {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = record.size_or_type;
                }
                _ => return Some(record),
            }
        }
        None
    }
}

/// A member of a structure or union.
struct Member {
    name: u32,
    type_id: u32,
    /// Bytes.
    offset: u32,
    is_bit_field: bool,
}

impl<'a> Record<'a> {
    /// The first type of the section, and what lies behind it.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), BtfError> {
        let mut record = Self {
            name: word(bytes, 0)?,
            info: word(bytes, 4)?,
            size_or_type: word(bytes, 8)?,
            rest: &[],
        };
        let rest = record.rest_len()?;
        let behind = bytes
            .get(12 + rest..)
            .ok_or(BtfError::Truncated(bytes.len()))?;
        record.rest = bytes.get(12..12 + rest).unwrap_or_default();
        Ok((record, behind))
    }

    fn kind(&self) -> u32 {
        self.info >> 24 & 0x1f
    }

    /// Members, enumerators or parameters.
    fn count(&self) -> usize {
        (self.info & 0xffff) as usize
    }

    fn rest_len(&self) -> Result<usize, BtfError> {
        match self.kind() {
            kind::INT | kind::VAR | kind::DECL_TAG => Ok(4),
            kind::ARRAY => Ok(12),
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => Ok(self.count() * 12),
            kind::ENUM | kind::FUNC_PROTO => Ok(self.count() * 8),
            kind::PTR
            | kind::FWD
            | kind::TYPEDEF
            | kind::VOLATILE
            | kind::CONST
            | kind::RESTRICT
            | kind::FUNC
            | kind::FLOAT
            | kind::TYPE_TAG => Ok(0),
            other => Err(BtfError::UnknownKind(other)),
        }
    }

    fn member(&self, index: usize) -> Result<Member, BtfError> {
        let at = index * 12;
        let position = word(self.rest, at + 8)?;
        // With the kind flag, the upper eight bits are the width of a bit field.
        let (bits, width) = if self.info >> 31 == 1 {
            (position & 0x00ff_ffff, position >> 24)
        } else {
            (position, 0)
        };
        Ok(Member {
            name: word(self.rest, at)?,
            type_id: word(self.rest, at + 4)?,
            offset: bits / 8,
            is_bit_field: width != 0 || bits % 8 != 0,
        })
    }
}

/// A structure of 4 GiB is none.
fn sum(offset: u32, further: u32) -> Result<u32, BtfError> {
    offset.checked_add(further).ok_or(BtfError::NotBtf)
}

fn word(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map(|word| u32::from_ne_bytes(*word))
        .ok_or(BtfError::Truncated(bytes.len()))
}

#[cfg(test)]
mod tests;
