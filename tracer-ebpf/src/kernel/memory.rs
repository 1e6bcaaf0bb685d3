//! Ways to read memory.
//!
//! All are safe to call: no program is loaded in which the kernel's verifier could not show that
//! every access is to memory that may be read.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};

/// What may be read: any bytes are a valid value.
///
/// # Safety
/// Holds for integers, raw pointers and arrays of them.
pub unsafe trait Plain: Copy {}

// SAFETY: an integer.
unsafe impl Plain for u8 {}
// SAFETY: an integer.
unsafe impl Plain for u16 {}
// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: an integer.
unsafe impl Plain for i32 {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}
// SAFETY: a raw pointer; reading through it is another read.
unsafe impl Plain for *const u8 {}
// SAFETY: an array of plain values.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// A way to read kernel memory.
pub trait Memory: Copy {
    /// Reads the field at `offset` of the structure at `base`.
    fn read<T: Plain>(base: *const u8, offset: usize) -> T;
}

/// For a structure that the program was handed with its BTF type (tp_btf, fentry, fexit): the
/// verifier checks the access against the type, and it is a plain load.
#[derive(Clone, Copy)]
pub struct Trusted;

/// For any other pointer: through `bpf_probe_read_kernel`, which answers an address that cannot be
/// read with an error; then the value is zeros.
#[derive(Clone, Copy)]
pub struct Probed;

impl Memory for Trusted {
    #[inline(always)]
    fn read<T: Plain>(base: *const u8, offset: usize) -> T {
        // SAFETY: the verifier refuses the program unless this lies inside the structure.
        unsafe { core::ptr::read_volatile(base.wrapping_add(offset).cast()) }
    }
}

impl Memory for Probed {
    #[inline(always)]
    fn read<T: Plain>(base: *const u8, offset: usize) -> T {
        probe(base, offset)
    }
}

/// For memory of the running program, which may be swapped out or not be there; then the value is zeros.
#[derive(Clone, Copy)]
pub struct User;

impl Memory for User {
    #[inline(always)]
    fn read<T: Plain>(base: *const u8, offset: usize) -> T {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: as of [`probe`].
        unsafe {
            bpf_probe_read_user(
                value.as_mut_ptr().cast(),
                size_of::<T>() as u32,
                base.wrapping_add(offset).cast(),
            );
            value.assume_init()
        }
    }
}

/// Reads the field at `offset` of the structure at `base` as [`Probed`] does.
#[inline(always)]
pub fn probe<T: Plain>(base: *const u8, offset: usize) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper takes any source address and writes `size_of::<T>()` bytes, zeros where it
    // cannot read; zeros are a valid T.
    unsafe {
        bpf_probe_read_kernel(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            base.wrapping_add(offset).cast(),
        );
        value.assume_init()
    }
}

/// The address alone, of a pointer that the verifier lets nobody calculate with: a socket as cgroup
/// and sock_ops programs are handed it.
#[inline(always)]
pub fn forget_type(pointer: *const u8) -> *const u8 {
    probe((&raw const pointer).cast(), 0)
}
