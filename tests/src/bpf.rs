//! Programs of others in the kernel: what is loaded, and some that meddle with connects.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    net::SocketAddrV4,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use nix::{errno::Errno, libc};
use tracer_abi::Connection;
use zerocopy::FromBytes as _;

use crate::btf;

const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_MAP_GET_NEXT_KEY: libc::c_long = 4;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_GET_NEXT_ID: libc::c_long = 11;
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_MAP_GET_FD_BY_ID: libc::c_long = 14;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_LINK_GET_FD_BY_ID: libc::c_long = 30;
const BPF_ENABLE_STATS: libc::c_long = 32;
const BPF_ITER_CREATE: libc::c_long = 33;
const BPF_LINK_DETACH: libc::c_long = 34;
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR: u32 = 18;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_CGROUP_INET4_CONNECT: u32 = 10;
const BPF_CGROUP_UDP4_SENDMSG: u32 = 14;
const BPF_TRACE_ITER: u32 = 28;

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

/// How many connections and listeners of a network namespace a tracer remembers.
///
/// # Panics
/// If its map cannot be read.
#[must_use]
pub fn connections_of(pid: u32, netns: u64) -> usize {
    let map = map_of(pid, "CONNECTIONS");
    let of_netns = |key| Some(remembered(&map, key)?.netns);
    keys(&map)
        .filter(|key| of_netns(*key).map(u64::from) == Some(netns))
        .count()
}

/// What a tracer remembers of a socket.
#[derive(Debug)]
pub struct Memory {
    map: OwnedFd,
    key: u64,
    connection: Connection,
}

impl Memory {
    /// Of the connection from a port to another.
    ///
    /// # Panics
    /// If the tracer does not remember one.
    #[must_use]
    pub fn of(pid: u32, local_port: u16, remote_port: u16) -> Self {
        let map = map_of(pid, "CONNECTIONS");
        let (key, connection) = keys(&map)
            .filter_map(|key| Some((key, remembered(&map, key)?)))
            .find(|(_, c)| (c.local_port, c.remote_port) == (local_port, remote_port))
            .unwrap_or_else(|| panic!("nothing is remembered from {local_port} to {remote_port}"));
        Self {
            map,
            key,
            connection,
        }
    }

    /// As if it had come from another port.
    #[must_use]
    pub fn from_elsewhere(mut self) -> Self {
        self.connection.remote_port = !self.connection.remote_port;
        self
    }

    /// Has the tracer remember it, whatever the socket has become meanwhile: as if its memory had been
    /// another's before, whose end no hook saw.
    ///
    /// # Panics
    /// If its map cannot be written.
    pub fn put_back(&self) {
        let mut attributes = Attributes::new()
            .set(0, number(&self.map))
            .set_pointer(8, &raw const self.key)
            .set_pointer(16, &raw const self.connection);
        bpf(BPF_MAP_UPDATE_ELEM, &mut attributes)
            .unwrap_or_else(|error| panic!("the map cannot be written: {error}"));
    }
}

/// A map of a process, by its name.
fn map_of(pid: u32, name: &str) -> OwnedFd {
    descriptions_of(pid)
        .iter()
        .filter_map(|text| u32::try_from(number_in(text, "map_id:")?).ok())
        .filter_map(|id| {
            let mut attributes = Attributes::new().set(0, id);
            bpf(BPF_MAP_GET_FD_BY_ID, &mut attributes).ok()
        })
        .map(descriptor)
        .find(|map| {
            info_of(map)
                .get(MAP_NAME_AT..)
                .is_some_and(|info| info.starts_with(name.as_bytes()))
        })
        .unwrap_or_else(|| panic!("process {pid} has no map {name}"))
}

/// The key after a key; the first one after none.
fn next_key(map: &OwnedFd, key: Option<u64>) -> Option<u64> {
    let next = 0_u64;
    let mut attributes = Attributes::new().set(0, number(map));
    if let Some(key) = &key {
        attributes = attributes.set_pointer(8, key);
    }
    let mut attributes = attributes.set_pointer(16, &raw const next);
    bpf(BPF_MAP_GET_NEXT_KEY, &mut attributes).ok()?;
    // SAFETY: the kernel wrote there behind the compiler's back.
    Some(unsafe { std::ptr::read_volatile(&raw const next) })
}

/// All keys, as far as others leave them in their places.
fn keys(map: &OwnedFd) -> impl Iterator<Item = u64> {
    std::iter::successors(next_key(map, None), |key| next_key(map, Some(*key)))
}

/// A connection; none if it has been forgotten meanwhile.
fn remembered(map: &OwnedFd, key: u64) -> Option<Connection> {
    let value = [0_u8; size_of::<Connection>()];
    let mut attributes = Attributes::new()
        .set(0, number(map))
        .set_pointer(8, &raw const key)
        .set_pointer(16, value.as_ptr());
    bpf(BPF_MAP_LOOKUP_ELEM, &mut attributes).ok()?;
    // SAFETY: the kernel wrote there behind the compiler's back.
    let value = unsafe { std::ptr::read_volatile(&raw const value) };
    Connection::read_from_bytes(&value).ok()
}

fn number(fd: &OwnedFd) -> u32 {
    u32::try_from(fd.as_raw_fd()).unwrap_or_default()
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

/// `bpf_map_info.name`
const MAP_NAME_AT: usize = 24;

/// `bpf_prog_info` or `bpf_map_info`; zeros if the kernel does not tell.
fn info_of(of: &OwnedFd) -> [u8; 256] {
    let info = [0_u8; 256];
    let mut attributes = Attributes::new()
        .set(0, number(of))
        .set(4, 256)
        .set_pointer(8, info.as_ptr());
    let _ = bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes);
    // SAFETY: the kernel wrote there behind the compiler's back.
    unsafe { std::ptr::read_volatile(&raw const info) }
}

/// `bpf_prog_info.name`
fn name_of(program: &OwnedFd) -> String {
    const NAME_AT: usize = 64;
    const NAME_LEN: usize = 16;
    let info = info_of(program);
    let name = &info[NAME_AT..NAME_AT + NAME_LEN];
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_LEN);
    String::from_utf8_lossy(&name[..end]).into_owned()
}

/// Takes a program of a process away from the cgroup where it is, by its name.
///
/// # Panics
/// If it is at none, or the kernel refuses.
pub fn detach(pid: u32, program: &str) {
    let names = programs();
    let is_its = |text: &&String| {
        let id = number_in(text, "prog_id:").and_then(|id| u32::try_from(id).ok());
        text.lines().any(|line| line == "link_type:\tcgroup")
            && id
                .and_then(|id| names.get(&id))
                .is_some_and(|name| name == program)
    };
    let descriptions = descriptions_of(pid);
    let mut links = descriptions.iter().filter(is_its);
    let id = links
        .find_map(|text| u32::try_from(number_in(text, "link_id:")?).ok())
        .unwrap_or_else(|| panic!("process {pid} has no {program} at a cgroup"));
    let mut attributes = Attributes::new().set(0, id);
    let link = bpf(BPF_LINK_GET_FD_BY_ID, &mut attributes)
        .map_or_else(|error| panic!("there is no link {id}: {error}"), descriptor);
    let mut attributes = Attributes::new().set(0, number(&link));
    bpf(BPF_LINK_DETACH, &mut attributes)
        .unwrap_or_else(|error| panic!("cannot detach link {id}: {error}"));
}

/// Before 5.11 the memory of programs counts as locked. Later nothing depends on it, and where it
/// may not be raised the kernel says so when the program is loaded.
fn allow_locked_memory() {
    use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
}

/// A program of somebody else's that is asked at each IPv4 connect in a cgroup, or at each IPv4 datagram that
/// names whom it is for, while it lives.
#[derive(Debug)]
pub struct Foreign {
    _link: OwnedFd,
}

impl Foreign {
    /// One that forbids to connect.
    ///
    /// # Panics
    /// If it cannot be attached.
    #[must_use]
    pub fn forbid(cgroup: &str) -> Self {
        Self::attach(cgroup, BPF_CGROUP_INET4_CONNECT, &[set(RESULT, 0), EXIT])
    }

    /// One that makes another destination of each connect.
    ///
    /// # Panics
    /// If it cannot be attached.
    #[must_use]
    pub fn redirect(cgroup: &str, to: SocketAddrV4) -> Self {
        Self::make_destination(cgroup, BPF_CGROUP_INET4_CONNECT, to)
    }

    /// One that makes another destination of each datagram.
    ///
    /// # Panics
    /// If it cannot be attached.
    #[must_use]
    pub fn redirect_datagrams(cgroup: &str, to: SocketAddrV4) -> Self {
        Self::make_destination(cgroup, BPF_CGROUP_UDP4_SENDMSG, to)
    }

    fn make_destination(cgroup: &str, hook: u32, to: SocketAddrV4) -> Self {
        /// `bpf_sock_addr.user_ip4` and `user_port`
        const ADDRESS_AT: u16 = 4;
        const PORT_AT: u16 = 24;
        const SCRATCH: u8 = 2;
        let address = u32::from_ne_bytes(to.ip().octets());
        let port = u32::from(to.port().to_be());
        let instructions = [
            set(SCRATCH, address),
            store(ADDRESS_AT, SCRATCH),
            set(SCRATCH, port),
            store(PORT_AT, SCRATCH),
            set(RESULT, 1),
            EXIT,
        ];
        Self::attach(cgroup, hook, &instructions)
    }

    fn attach(cgroup: &str, hook: u32, instructions: &[u64]) -> Self {
        allow_locked_memory();
        let licence = c"GPL";
        let mut load = Attributes::new()
            .set(0, BPF_PROG_TYPE_CGROUP_SOCK_ADDR)
            .set(4, u32::try_from(instructions.len()).unwrap_or_default())
            .set_pointer(8, instructions.as_ptr())
            .set_pointer(16, licence.as_ptr())
            .set(68, hook);
        let program = bpf(BPF_PROG_LOAD, &mut load)
            .map_or_else(|error| panic!("cannot load a program: {error}"), descriptor);
        let directory =
            File::open(cgroup).unwrap_or_else(|error| panic!("cannot open {cgroup}: {error}"));
        let mut create = Attributes::new()
            .set(0, number(&program))
            .set(4, u32::try_from(directory.as_raw_fd()).unwrap_or_default())
            .set(8, hook);
        let link = bpf(BPF_LINK_CREATE, &mut create).map_or_else(
            |error| panic!("cannot attach a program: {error}"),
            descriptor,
        );
        Self { _link: link }
    }
}

/// Goes through what the kernel has of a kind, such as `tcp`, and looks at nothing of it.
///
/// # Errors
/// If the kernel refuses, or has no such iterator.
pub fn iterate(what: &str) -> std::io::Result<()> {
    allow_locked_memory();
    let function = btf::function(&format!("bpf_iter_{what}")).ok_or(Errno::ENOENT)?;
    let (instructions, licence) = ([set(RESULT, 0), EXIT], c"GPL");
    let mut load = Attributes::new()
        .set(0, BPF_PROG_TYPE_TRACING)
        .set(4, u32::try_from(instructions.len()).unwrap_or_default())
        .set_pointer(8, instructions.as_ptr())
        .set_pointer(16, licence.as_ptr())
        .set(68, BPF_TRACE_ITER)
        .set(108, function);
    let program = bpf(BPF_PROG_LOAD, &mut load).map(descriptor)?;
    let mut create = Attributes::new()
        .set(0, number(&program))
        .set(8, BPF_TRACE_ITER);
    let link = bpf(BPF_LINK_CREATE, &mut create).map(descriptor)?;
    let mut open = Attributes::new().set(0, number(&link));
    let iterator = bpf(BPF_ITER_CREATE, &mut open).map(descriptor)?;
    File::from(iterator).read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The register of the result.
const RESULT: u8 = 0;
/// The register of what a program is called with.
const CONTEXT: u8 = 1;
/// `exit`
const EXIT: u64 = 0x95;

/// `register = value`, 32 bits.
fn set(register: u8, value: u32) -> u64 {
    0xb4 | u64::from(register) << 8 | u64::from(value) << 32
}

/// `*(u32 *)(context + at) = register`
fn store(at: u16, register: u8) -> u64 {
    0x63 | u64::from(CONTEXT) << 8 | u64::from(register) << 12 | u64::from(at) << 16
}
