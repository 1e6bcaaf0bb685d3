//! Bytes become frames only where they are some, and never harm.

use proptest::{collection::vec, prelude::*, sample::Index};
use tracer_abi::{ExitFrame, ForkFrame, Kind};
use tracer_core::decode::{DecodeError, Frame, arguments, decode, kind_of, used};

use crate::frames::{any_frame, bytes, exec_fixed, header, of_cgroup, of_exec};

proptest! {
    #[test]
    fn any_bytes_are_safe_to_decode(bytes in vec(any::<u8>(), 0..600)) {
        let decoded = decode(&bytes);
        prop_assert!(kind_of(&bytes).is_some() || decoded.is_err());
        prop_assert!(bytes.starts_with(used(&bytes)));
    }

    #[test]
    fn every_zero_byte_ends_an_argument(bytes in vec(0_u8..3, 0..12)) {
        let ended = bytes.split(|byte| *byte == 0).skip(1).count();
        let cut_off = usize::from(bytes.last().is_some_and(|byte| *byte != 0));
        prop_assert_eq!(arguments(&bytes).len(), ended + cut_off);
    }

    #[test]
    fn any_tail_is_safe_behind_the_header_of_every_kind(
        kind in 0..=Kind::COUNT,
        tail in vec(any::<u8>(), 0..600),
    ) {
        let frame = bytes(&header::<()>(kind, 0, 0), &tail);
        let decoded = decode(&frame);
        match kind {
            Kind::FORK => prop_assert_eq!(decoded.is_ok(), frame.len() >= size_of::<ForkFrame>()),
            Kind::EXIT => prop_assert_eq!(decoded.is_ok(), frame.len() >= size_of::<ExitFrame>()),
            Kind::COUNT => {
                prop_assert_eq!(decoded.err(), Some(DecodeError::UnknownKind(kind)));
            }
            _ => prop_assert_eq!(kind_of(&frame), Some(kind)),
        }
    }

    #[test]
    fn a_frame_with_any_bytes_changed_is_safe_to_decode(
        mut frame in any_frame(),
        changes in vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        for (at, byte) in changes {
            *at.get_mut(&mut frame) = byte;
        }
        let decoded = decode(&frame);
        prop_assert_eq!(
            matches!(decoded, Err(DecodeError::UnknownKind(_))),
            kind_of(&frame) >= Some(Kind::COUNT)
        );
    }

    #[test]
    fn a_frame_that_was_cut_off_is_refused(frame in any_frame(), at in any::<Index>()) {
        let cut = frame.get(..at.index(frame.len())).unwrap_or_default();
        prop_assert!(decode(&frame).is_ok());
        let is_short = matches!(decode(cut), Err(DecodeError::Short { .. }));
        prop_assert!(is_short);
    }

    #[test]
    fn what_earlier_frames_left_behind_is_ignored(
        frame in any_frame(),
        left in vec(any::<u8>(), 0..64),
    ) {
        let with_rest = [frame.as_slice(), &left].concat();
        prop_assert_eq!(used(&with_rest), frame.as_slice());
        let shown = |bytes| format!("{:?}", decode(bytes));
        prop_assert_eq!(shown(&with_rest), shown(&frame));
    }

    #[test]
    fn a_program_has_the_path_and_the_arguments_it_was_given(
        mut fixed in exec_fixed(),
        mut path in vec("[^\0/]{1,8}", 0..5),
        args in vec("[^\0]{0,8}", 0..5),
    ) {
        fixed.flags = 0;
        let bytes_of = |text: &String| text.as_bytes().to_vec();
        let components: Vec<Vec<u8>> = path.iter().rev().map(bytes_of).collect();
        let given: Vec<Vec<u8>> = args.iter().map(bytes_of).collect();
        let Ok(Frame::Exec(exec)) = decode(&of_exec(fixed, &components, &given)) else {
            return Err(TestCaseError::fail("not an exec frame"));
        };
        path.insert(0, String::new());
        prop_assert_eq!(exec.exe, path.join("/"));
        prop_assert_eq!(exec.args, Some(args));
    }

    #[test]
    fn a_cgroup_has_the_path_it_was_made_with(id in any::<u64>(), path in "(/[^\0/]{1,8}){1,5}") {
        let Ok(Frame::Cgroup(cgroup)) = decode(&of_cgroup(0, id, 0, &path)) else {
            return Err(TestCaseError::fail("not a cgroup frame"));
        };
        prop_assert_eq!(cgroup.fixed.id, id);
        prop_assert_eq!(cgroup.path, path);
    }
}
