use std::{collections::BTreeMap, fs};

use btfparse::{Integer32Value, NamedValue32, Offset, Readable, TypeInformation, TypeVariant};

use super::*;

/// The running kernel's types as another reader has them; of several of one name the first.
struct Oracle {
    types: TypeInformation,
    structures: BTreeMap<String, u32>,
    enumerations: BTreeMap<String, BTreeMap<String, u32>>,
    /// How many parameters each has.
    functions: BTreeMap<String, usize>,
}

struct Bytes<'a>(&'a [u8]);

impl Readable for Bytes<'_> {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
        let start = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&self.0[start..start + buffer.len()]);
        Ok(())
    }
}

impl Oracle {
    fn new(bytes: &[u8]) -> Self {
        let types = TypeInformation::new(&Bytes(bytes)).unwrap();
        let mut structures = BTreeMap::new();
        let mut enumerations = BTreeMap::new();
        let mut functions = BTreeMap::new();
        for (id, variant) in types.get() {
            let Some(name) = types.name_of(*id) else {
                continue;
            };
            match variant {
                TypeVariant::Struct(_) => {
                    structures.entry(name).or_insert(*id);
                }
                TypeVariant::Enum(enumeration) => {
                    let values = enumeration.named_value_list().iter().map(value_of);
                    enumerations.entry(name).or_insert_with(|| values.collect());
                }
                TypeVariant::Func(function) => {
                    let prototype = types.from_id(*function.prototype_tid());
                    if let Some(TypeVariant::FuncProto(prototype)) = prototype {
                        let count = prototype.parameter_list().len();
                        functions.entry(name).or_insert(count);
                    }
                }
                _ => {}
            }
        }
        Self {
            types,
            structures,
            enumerations,
            functions,
        }
    }

    /// What a path of [`Offsets::PATHS`] resolves to; `None` where this kernel has no such thing.
    fn resolve(&self, path: &str) -> Option<u32> {
        if let Some(enumerator) = path.strip_prefix("enum:") {
            let (enumeration, name) = enumerator.split_once('.')?;
            return self.enumerations.get(enumeration)?.get(name).copied();
        }
        if let Some(structure) = path.strip_prefix("size:") {
            let size = self.types.size_of(*self.structures.get(structure)?).ok()?;
            return u32::try_from(size).ok();
        }
        let (structure, members) = path.split_once('.')?;
        let id = *self.structures.get(structure)?;
        match self.types.offset_of(id, members).ok()?.1 {
            Offset::ByteOffset(bytes) => Some(bytes),
            Offset::BitOffsetAndSize(..) => None,
        }
    }
}

/// An enumerator as the bits that the programs compare with.
fn value_of(named: &NamedValue32) -> (String, u32) {
    let bits = match named.value {
        Integer32Value::Signed(value) => value.cast_unsigned(),
        Integer32Value::Unsigned(value) => value,
    };
    (named.name.clone(), bits)
}

#[test]
fn the_running_kernels_types_are_read_as_another_reader_does() {
    let bytes = fs::read("/sys/kernel/btf/vmlinux").unwrap();
    let oracle = Oracle::new(&bytes);
    let btf = Btf::parse(&bytes).unwrap();

    let offsets = resolve(&btf).unwrap();
    let words = offsets.as_bytes().chunks_exact(size_of::<u32>());
    assert_eq!(words.len(), Offsets::PATHS.len());
    for (path, word) in Offsets::PATHS.iter().zip(words) {
        let expected = match path.strip_prefix('?') {
            Some(optional) => oracle.resolve(optional).unwrap_or(Offsets::MISSING),
            None => oracle.resolve(path).unwrap(),
        };
        assert_eq!(word, expected.to_ne_bytes(), "{path}");
    }

    for name in oracle.structures.keys() {
        let expected = oracle.resolve(&format!("size:{name}"));
        assert_eq!(btf.size_of(name).ok(), expected, "{name}");
    }
    for (enumeration, values) in &oracle.enumerations {
        for (name, value) in values {
            let path = format!("{enumeration}.{name}");
            assert_eq!(btf.value_of(&path).as_ref(), Ok(value), "{path}");
        }
    }
    assert!(!oracle.functions.is_empty());
    for (name, count) in &oracle.functions {
        assert_eq!(btf.parameters_of(name), Some(*count), "{name}");
    }
}
