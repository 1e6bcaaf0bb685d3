//! Programs of others in the kernel: what is loaded, and one that forbids connects.

use std::{
    collections::BTreeMap,
    fs::File,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use nix::{errno::Errno, libc};

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_GET_NEXT_ID: libc::c_long = 11;
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ENABLE_STATS: libc::c_long = 32;
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR: u32 = 18;
const BPF_CGROUP_INET4_CONNECT: u32 = 10;

/// Size of the attributes of `bpf(2)` that these calls may use.
const ATTRIBUTES: usize = 128;

/// Attributes of a call, as words of four bytes.
#[repr(C, align(8))]
struct Attributes([u32; ATTRIBUTES / 4]);

impl Attributes {
    fn new() -> Self {
        Self([0; ATTRIBUTES / 4])
    }

    fn set(mut self, at: usize, value: u32) -> Self {
        self.0[at / 4] = value;
        self
    }

    fn set_pointer<T>(mut self, at: usize, value: *const T) -> Self {
        let address = value as u64;
        let [low, high] = [address & 0xffff_ffff, address >> 32];
        self.0[at / 4] = u32::try_from(low).unwrap_or_default();
        self.0[at / 4 + 1] = u32::try_from(high).unwrap_or_default();
        self
    }
}

fn bpf(command: libc::c_long, attributes: &mut Attributes) -> nix::Result<i32> {
    // SAFETY: the attributes are as large as is said, and what they point to outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            ATTRIBUTES,
        )
    };
    Errno::result(result).map(|value| i32::try_from(value).unwrap_or(-1))
}

fn descriptor(number: i32) -> OwnedFd {
    // SAFETY: the kernel has just handed it to us.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// The programs in the kernel: id → name.
///
/// # Panics
/// Without the right to see them.
#[must_use]
pub fn programs() -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    let mut id = 0;
    loop {
        let mut attributes = Attributes::new().set(0, id);
        match bpf(BPF_PROG_GET_NEXT_ID, &mut attributes) {
            Ok(_) => id = attributes.0[1],
            Err(Errno::ENOENT) => return found,
            Err(error) => panic!("cannot list the programs: {error}"),
        }
        let mut attributes = Attributes::new().set(0, id);
        // It may be gone by now.
        if let Ok(number) = bpf(BPF_PROG_GET_FD_BY_ID, &mut attributes) {
            found.insert(id, name_of(&descriptor(number)));
        }
    }
}

/// The ids of the programs that a process has loaded.
///
/// # Panics
/// If its descriptors cannot be read.
#[must_use]
pub fn programs_of(pid: u32) -> Vec<u32> {
    let id_of = |text: &String| number_in(text, "prog_id:");
    let ids = descriptions_of(pid)
        .iter()
        .filter_map(id_of)
        .collect::<Vec<u64>>();
    ids.into_iter()
        .filter_map(|id| u32::try_from(id).ok())
        .collect()
}

/// How the kernel describes the descriptors of a process.
fn descriptions_of(pid: u32) -> Vec<String> {
    let directory = format!("/proc/{pid}/fdinfo");
    let entries = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("cannot read {directory}: {error}"));
    entries
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .collect()
}

fn number_in(description: &str, key: &str) -> Option<u64> {
    let mut lines = description.lines();
    lines.find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
}

/// What a program did while [`enable_stats`] was in force.
#[derive(Debug)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// How often it ran.
    pub count: u64,
    /// How long it ran in all.
    pub time_ns: u64,
}

/// What the programs of a process did.
#[must_use]
pub fn runs_of(pid: u32) -> Vec<Run> {
    let names = programs();
    let run = |text: &String| {
        let id = u32::try_from(number_in(text, "prog_id:")?).ok()?;
        Some(Run {
            name: names.get(&id)?.clone(),
            count: number_in(text, "run_cnt:")?,
            time_ns: number_in(text, "run_time_ns:")?,
        })
    };
    descriptions_of(pid).iter().filter_map(run).collect()
}

/// Has the kernel (since 5.8) count how often and how long programs run, until this is closed.
///
/// # Errors
/// If it refuses.
pub fn enable_stats() -> nix::Result<OwnedFd> {
    bpf(BPF_ENABLE_STATS, &mut Attributes::new()).map(descriptor)
}

/// `bpf_prog_info.name`
fn name_of(program: &OwnedFd) -> String {
    const NAME_AT: usize = 64;
    const NAME_LEN: usize = 16;
    let info = [0_u8; 256];
    let number = u32::try_from(program.as_raw_fd()).unwrap_or_default();
    let mut attributes = Attributes::new()
        .set(0, number)
        .set(4, 256)
        .set_pointer(8, info.as_ptr());
    if bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes).is_err() {
        return String::new();
    }
    // SAFETY: the kernel wrote there behind the compiler's back.
    let info = unsafe { std::ptr::read_volatile(&raw const info) };
    let name = &info[NAME_AT..NAME_AT + NAME_LEN];
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_LEN);
    String::from_utf8_lossy(&name[..end]).into_owned()
}

/// Before 5.11 the memory of programs counts as locked. Later nothing depends on it, and where it
/// may not be raised the kernel says so when the program is loaded.
fn allow_locked_memory() {
    use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
}

/// A program of somebody else's that forbids IPv4 connects in a cgroup, while it lives.
#[derive(Debug)]
pub struct Forbids {
    _link: OwnedFd,
}

impl Forbids {
    /// Attaches it.
    ///
    /// # Panics
    /// If it cannot be attached.
    #[must_use]
    pub fn connects(cgroup: &str) -> Self {
        allow_locked_memory();
        // `r0 = 0; exit`
        let instructions: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];
        let licence = c"GPL";
        let mut load = Attributes::new()
            .set(0, BPF_PROG_TYPE_CGROUP_SOCK_ADDR)
            .set(4, 2)
            .set_pointer(8, instructions.as_ptr())
            .set_pointer(16, licence.as_ptr())
            .set(68, BPF_CGROUP_INET4_CONNECT);
        let program = bpf(BPF_PROG_LOAD, &mut load)
            .map_or_else(|error| panic!("cannot load a program: {error}"), descriptor);
        let directory =
            File::open(cgroup).unwrap_or_else(|error| panic!("cannot open {cgroup}: {error}"));
        let number = |fd: i32| u32::try_from(fd).unwrap_or_default();
        let mut create = Attributes::new()
            .set(0, number(program.as_raw_fd()))
            .set(4, number(directory.as_raw_fd()))
            .set(8, BPF_CGROUP_INET4_CONNECT);
        let link = bpf(BPF_LINK_CREATE, &mut create).map_or_else(
            |error| panic!("cannot attach a program: {error}"),
            descriptor,
        );
        Self { _link: link }
    }
}
