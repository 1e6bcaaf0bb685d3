//! Room on the stack of a program, of which there are 512 bytes.

use core::mem::MaybeUninit;

/// Zeros in the room for a structure.
///
/// # Safety
/// As for [`clear`].
#[inline(always)]
pub unsafe fn zeroed<T>(room: &mut MaybeUninit<T>) -> &mut T {
    // SAFETY: the caller vouches for `T`; every word is written.
    unsafe {
        clear(room.as_mut_ptr());
        room.assume_init_mut()
    }
}

/// Zeros in the place of a structure.
///
/// Written word by word: a memset would be a call that writes byte by byte.
///
/// # Safety
/// `place` may be written. Zeros are a valid `T`, and `T` is aligned to a word and a whole number of
/// words.
#[inline(always)]
pub unsafe fn clear<T>(place: *mut T) {
    let words = place.cast::<u64>();
    let mut index = 0;
    while index < size_of::<T>() / size_of::<u64>() {
        // SAFETY: inside the structure, as the caller vouches.
        unsafe { words.add(index).write_volatile(0) };
        index += 1;
    }
}
