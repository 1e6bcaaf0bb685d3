//! Cgroups that are made while tracing: tp_btf `cgroup_mkdir(cgrp, path)`.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel_str, macros::btf_tracepoint, maps::lpm_trie::Key,
    programs::BtfTracePointContext,
};
use tracer_abi::{CGROUP_PATH_MAX, CgroupFrame, CgroupPrefix, Counted, Kind};

use crate::{
    counters::count,
    globals::global,
    kernel::Cgroup,
    ring::{now_ns, reserve, submit, write_header},
    select,
};

/// A cgroup frame and the room for its path.
#[repr(C)]
struct Made {
    fixed: CgroupFrame,
    path: [u8; CGROUP_PATH_MAX],
}

#[btf_tracepoint(function = "cgroup_mkdir")]
fn cgroup_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let cgroup = Cgroup::new(ctx.arg(0));
    let hierarchy = cgroup.hierarchy();
    let is_unified = hierarchy == 0;
    if is_unified || hierarchy == global!(SETTINGS.v1_hierarchy) {
        let path: *const u8 = ctx.arg(1);
        admit(cgroup, !is_unified, path);
        made(cgroup, hierarchy, path);
    }
    0
}

/// Before a process can be in it, the selection by cgroup knows it.
#[inline(always)]
fn admit(cgroup: Cgroup, is_v1: bool, path: *const u8) {
    if !select::uses_cgroups() {
        return;
    }
    let mut key = Key::new(0, [0_u8; CgroupPrefix::MAX]);
    // SAFETY: the key has that many bytes.
    let read = unsafe {
        bpf_probe_read_kernel_str(
            (&raw mut key.data).cast(),
            CgroupPrefix::MAX as u32,
            path.cast(),
        )
    };
    if read > 0 {
        key.prefix_len = (read as u32 - 1) * 8;
        select::admit_cgroup(cgroup.id(), is_v1, &key);
    }
}

#[inline(always)]
fn made(cgroup: Cgroup, hierarchy: u32, path: *const u8) {
    count(Kind::CGROUP, Counted::Seen);
    let Some(mut entry) = reserve::<Made>(Kind::CGROUP) else {
        return;
    };
    let frame = entry.as_mut_ptr();
    // SAFETY: reserved ring memory of that type; every field of its fixed part is written, and of
    // the path as many bytes as `len` says.
    unsafe {
        let fixed = &raw mut (*frame).fixed;
        let read = bpf_probe_read_kernel_str(
            (&raw mut (*frame).path).cast(),
            CGROUP_PATH_MAX as u32,
            path.cast(),
        );
        let path_len = if read > 0 { read as u32 } else { 0 };
        let len = size_of::<CgroupFrame>() as u32 + path_len;
        write_header(&raw mut (*fixed).header, Kind::CGROUP, now_ns(), len);
        (*fixed).id = cgroup.id();
        (*fixed).hierarchy = hierarchy;
        (*fixed).path_len = path_len;
    }
    submit(entry);
}
