use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

/// Every name there is: one letter each, at the odd places from 1 to 7, and the tracepoint `e`.
const STRINGS: &[u8] = b"\0s\0a\0e\0f\0btf_trace_e\0";
const S: u32 = 1;
const A: u32 = 3;
const E: u32 = 5;
const F: u32 = 7;
const TRACE_E: u32 = 9;
const ANONYMOUS: u32 = 0;
/// The type that a member has where it does not matter.
const VOID: u32 = 0;

/// A type: its name, kind, kind flag, size or type, and the words that follow, `each` of them for
/// one member, enumerator or parameter.
fn record(
    name: u32,
    kind: u32,
    flag: bool,
    size_or_type: u32,
    rest: &[u32],
    each: usize,
) -> Vec<u32> {
    let count = u32::try_from(rest.len() / each).unwrap_or_default();
    let info = u32::from(flag) << 31 | kind << 24 | count;
    [&[name, info, size_or_type], rest].concat()
}

/// A structure with members: name, type, and place in bits.
fn structure(name: u32, members: &[[u32; 3]]) -> Vec<u32> {
    record(name, kind::STRUCT, false, 64, &members.concat(), 3)
}

fn section(types: &[Vec<u32>]) -> Vec<u8> {
    const HEADER: u32 = 24;
    let bytes = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_ne_bytes()).collect() };
    let types = bytes(&types.concat());
    let [types_len, strings_len] =
        [types.len(), STRINGS.len()].map(|len| u32::try_from(len).unwrap());
    let mut section = MAGIC.to_ne_bytes().to_vec();
    section.extend([1, 0]);
    section.extend(bytes(&[HEADER, 0, types_len, types_len, strings_len]));
    section.extend(types);
    section.extend(STRINGS);
    section
}

/// Asks all there is to ask with these names.
fn ask_everything(bytes: &[u8]) {
    let Ok(btf) = Btf::parse(bytes) else {
        return;
    };
    for first in ["s", "a", "e", "f", ""] {
        // The answers are whatever the bytes say; that there is one is what counts.
        let _ = (btf.size_of(first), btf.parameters_of(first));
        let _ = btf.arguments_of(first);
        for second in ["s", "a", "e", "f", ""] {
            let path = format!("{first}.{second}");
            let _ = (btf.offset_of(&path), btf.value_of(&path));
            let _ = btf.offset_of(&format!("{path}.a"));
        }
    }
}

/// A word that names, types and places share, or any at all.
fn any_word() -> impl Strategy<Value = u32> {
    prop_oneof![12 => 0_u32..10, 1 => any::<u32>()]
}

/// A well-formed type that refers to any others, itself included.
fn any_record() -> impl Strategy<Value = Vec<u32>> {
    let kind = prop_oneof![
        2 => Just(kind::STRUCT),
        2 => Just(kind::UNION),
        1 => Just(kind::TYPEDEF),
        2 => kind::INT..=kind::ENUM64,
    ];
    let head = (any_word(), kind, any::<bool>(), any_word());
    (head, vec(any_word(), 12)).prop_flat_map(|((name, kind, flag, size_or_type), words)| {
        let (each, counts) = match kind {
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => (3, 0..=4_usize),
            kind::ENUM | kind::FUNC_PROTO => (2, 0..=4),
            kind::ARRAY => (3, 1..=1),
            kind::INT | kind::VAR | kind::DECL_TAG => (1, 1..=1),
            _ => (1, 0..=0),
        };
        counts.prop_map(move |count| {
            record(name, kind, flag, size_or_type, &words[..count * each], each)
        })
    })
}

proptest! {
    #[test]
    fn any_bytes_are_safe_to_read(
        bytes in vec(any::<u8>(), 0..200),
        words in vec(any_word(), 0..60),
    ) {
        ask_everything(&bytes);
        ask_everything(&[MAGIC.to_ne_bytes().as_slice(), &bytes].concat());
        ask_everything(&section(&[words]));
    }

    #[test]
    fn any_types_are_safe_to_ask_for(types in vec(any_record(), 1..9)) {
        let bytes = section(&types);
        prop_assert_eq!(Btf::parse(&bytes).err(), None);
        ask_everything(&bytes);
    }

    #[test]
    fn a_section_with_any_bytes_changed_is_safe_to_read(
        types in vec(any_record(), 1..9),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = section(&types);
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        ask_everything(&bytes);
    }

    #[test]
    fn a_section_that_was_cut_off_is_refused(
        types in vec(any_record(), 1..9),
        at in any::<Index>(),
    ) {
        let bytes = section(&types);
        prop_assert!(Btf::parse(&bytes[..at.index(bytes.len())]).is_err());
    }
}

#[test]
fn members_are_found_through_typedefs_and_anonymous_ones() {
    let bytes = section(&[
        structure(S, &[[E, 4, 0], [ANONYMOUS, 2, 64]]),
        record(ANONYMOUS, kind::UNION, false, 8, &[F, VOID, 0, A, 3, 32], 3),
        record(F, kind::TYPEDEF, false, 4, &[], 1),
        record(ANONYMOUS, kind::CONST, false, 5, &[], 1),
        structure(A, &[[S, VOID, 0], [E, VOID, 128]]),
    ]);
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.offset_of("s.e"), Ok(0));
    assert_eq!(btf.offset_of("s.f"), Ok(8));
    assert_eq!(btf.offset_of("s.a"), Ok(12));
    assert_eq!(btf.offset_of("s.a.e"), Ok(12 + 16));
    assert_eq!(btf.offset_of("s.e.e"), Ok(16));
    assert_eq!(btf.size_of("a"), Ok(64));
    for missing in ["s.s", "s.a.a", "s.f.s", "f.a", "e"] {
        let found = btf.offset_of(missing);
        assert!(matches!(found, Err(BtfError::NotFound(_))), "{missing}");
    }
}

#[test]
fn a_bit_field_has_no_offset() {
    let members = [A, VOID, 3 << 24 | 8, E, VOID, 16];
    let bytes = section(&[record(S, kind::STRUCT, true, 4, &members, 3)]);
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(
        btf.offset_of("s.a"),
        Err(BtfError::BitField("s.a".to_owned()))
    );
    assert_eq!(btf.offset_of("s.e"), Ok(2));
}

#[test]
fn enumerators_have_values_and_functions_parameters() {
    let bytes = section(&[
        record(E, kind::ENUM, false, 4, &[A, 7, S, 9], 2),
        record(F, kind::FUNC, false, 3, &[], 1),
        record(
            ANONYMOUS,
            kind::FUNC_PROTO,
            false,
            0,
            &[A, 1, S, 1, E, 1],
            2,
        ),
        record(A, kind::FUNC, false, 1, &[], 1),
    ]);
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.value_of("e.a"), Ok(7));
    assert_eq!(btf.value_of("e.s"), Ok(9));
    assert_eq!(
        btf.value_of("e.f"),
        Err(BtfError::NotFound("e.f".to_owned()))
    );
    assert_eq!(btf.parameters_of("f"), Some(3));
    // No prototype, no function.
    assert_eq!(btf.parameters_of("a"), None);
    assert_eq!(btf.parameters_of("s"), None);
}

#[test]
fn a_tracepoint_says_what_it_hands_over() {
    let of_handler = [A, 2, S, 4, E, 2, F, 5];
    let bytes = section(&[
        record(TRACE_E, kind::TYPEDEF, false, 2, &[], 1),
        record(ANONYMOUS, kind::PTR, false, 3, &[], 1),
        record(ANONYMOUS, kind::FUNC_PROTO, false, 0, &of_handler, 2),
        record(ANONYMOUS, kind::INT, false, 4, &[0], 1),
        record(A, kind::TYPEDEF, false, 6, &[], 1),
        record(ANONYMOUS, kind::CONST, false, 2, &[], 1),
        record(A, kind::TYPEDEF, false, 2, &[], 1),
    ]);
    let btf = Btf::parse(&bytes).unwrap();
    // The first is the handler's own.
    assert_eq!(btf.arguments_of("e").as_deref(), Some("ipp"));
    assert_eq!(btf.arguments_of("a"), None);
}

#[test]
fn what_is_no_type_information_is_told() {
    let error = |bytes: &[u8]| Btf::parse(bytes).err();
    assert_eq!(error(b""), Some(BtfError::NotBtf));
    assert_eq!(error(b"\x7fELF"), Some(BtfError::NotBtf));
    assert_eq!(error(&MAGIC.to_ne_bytes()), Some(BtfError::Truncated(2)));
    let newer = kind::ENUM64 + 1;
    let bytes = section(&[record(S, newer, false, 0, &[], 1)]);
    assert_eq!(error(&bytes), Some(BtfError::UnknownKind(newer)));
}

#[test]
fn a_structure_that_contains_itself_twice_is_not_searched_without_end() {
    let bytes = section(&[structure(S, &[[ANONYMOUS, 1, 0], [ANONYMOUS, 1, 32]])]);
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(
        btf.offset_of("s.a"),
        Err(BtfError::NotFound("s.a".to_owned()))
    );
}

#[test]
fn an_offset_beyond_all_memory_is_refused() {
    const FAR: u32 = u32::MAX - 7;
    let mut types: Vec<Vec<u32>> = (2..12)
        .map(|next| structure(S, &[[ANONYMOUS, next, FAR]]))
        .collect();
    types.push(structure(A, &[[A, VOID, 0]]));
    let bytes = section(&types);
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.offset_of("s.a"), Err(BtfError::NotBtf));

    let bytes = section(&[structure(S, &[[S, 1, FAR]])]);
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.offset_of("s.s"), Ok(FAR / 8));
    let path = ["s"; 12].join(".");
    assert_eq!(btf.offset_of(&path), Err(BtfError::NotBtf));
}
