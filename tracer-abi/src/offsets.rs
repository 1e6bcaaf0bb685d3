//! Where the fields of kernel structures lie in the running kernel.
//!
//! Rust's bpf target has no CO-RE relocations, so the loader resolves each field from the running
//! kernel's BTF and hands the numbers over as read-only data. The verifier knows that data and folds
//! it into constants; nothing is looked up while tracing.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident = $path:literal,)*) => {
        /// Byte offsets and enumerator values of the running kernel; [`Offsets::MISSING`] where it
        /// has none.
        #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct Offsets {
            $($(#[$doc])* #[doc = concat!("`", $path, "`")] pub $field: u32,)*
        }

        impl Offsets {
            /// Marks a field that the running kernel does not have.
            pub const MISSING: u32 = u32::MAX;

            /// Every field resolved to [`Offsets::MISSING`].
            pub const UNRESOLVED: Self = Self { $($field: Self::MISSING,)* };

            /// What each field resolves to, in the order of the fields: `struct.member.member` for
            /// a byte offset, `enum:name.enumerator` for a value, `size:struct` for a size, a
            /// leading `?` where a kernel may lack it.
            pub const PATHS: &'static [&'static str] = &[$($path,)*];
        }
    };
}

offsets! {
    sk_remote4 = "sock.__sk_common.skc_daddr",
    sk_local4 = "sock.__sk_common.skc_rcv_saddr",
    sk_remote6 = "sock.__sk_common.skc_v6_daddr",
    sk_local6 = "sock.__sk_common.skc_v6_rcv_saddr",
    sk_remote_port = "sock.__sk_common.skc_dport",
    sk_local_port = "sock.__sk_common.skc_num",
    sk_family = "sock.__sk_common.skc_family",
    sk_state = "sock.__sk_common.skc_state",
    sk_net = "sock.__sk_common.skc_net.net",
    sk_flags = "sock.__sk_common.skc_flags",
    sk_error = "sock.sk_err",
    sk_protocol = "sock.sk_protocol",
    sk_socket = "sock.sk_socket",
    sk_type = "sock.sk_type",
    net_inode = "net.ns.inum",
    sock_dead = "enum:sock_flags.SOCK_DEAD",
    sock_done = "enum:sock_flags.SOCK_DONE",
    tcp_bytes_sent = "tcp_sock.bytes_sent",
    tcp_bytes_retransmitted = "tcp_sock.bytes_retrans",
    tcp_bytes_received = "tcp_sock.bytes_received",
    tcp_srtt = "tcp_sock.srtt_us",
    tcp_retransmits = "tcp_sock.total_retrans",
    socket_sk = "socket.sk",
    socket_state = "socket.state",
    socket_file = "socket.file",
    socket_within = "socket_alloc.socket",
    socket_inode = "socket_alloc.vfs_inode.i_ino",
    multipath_first = "?mptcp_sock.first",
    multipath_paths = "?mptcp_sock.conn_list",
    path_node = "?mptcp_subflow_context.node",
    path_parent = "?mptcp_subflow_context.conn",
    path_sock = "?mptcp_subflow_context.tcp_sock",
    upper_ops = "inet_connection_sock.icsk_ulp_ops",
    upper_data = "inet_connection_sock.icsk_ulp_data",
    upper_name = "tcp_ulp_ops.name",
    packet_protocol = "?packet_sock.num",
    skb_sk = "?sk_buff.sk",
    request_opcode = "?io_kiocb.opcode",
    request_file = "?io_kiocb.file",
    accept_slot = "?io_accept.file_slot",
    open_socket_slot = "?io_socket.file_slot",
    open_slot = "?io_open.file_slot",
    completion_result = "?io_uring_cqe.res",
    completion_flags = "?io_uring_cqe.flags",
    task_tgid = "task_struct.tgid",
    task_pid = "task_struct.pid",
    task_flags = "task_struct.flags",
    task_leader = "task_struct.group_leader",
    task_parent = "task_struct.real_parent",
    task_start = "task_struct.start_boottime",
    task_exec_id = "task_struct.self_exec_id",
    task_comm = "task_struct.comm",
    task_cred = "task_struct.cred",
    task_auid = "?task_struct.loginuid",
    task_audit_session = "?task_struct.sessionid",
    task_thread_pid = "task_struct.thread_pid",
    task_signal = "task_struct.signal",
    task_cgroups = "task_struct.cgroups",
    task_files = "task_struct.files",
    task_mm = "task_struct.mm",
    task_nsproxy = "?task_struct.nsproxy",
    task_fs = "?task_struct.fs",
    task_status = "?task_struct.thread_info.status",
    nsproxy_net = "?nsproxy.net_ns",
    fs_pwd_dentry = "?fs_struct.pwd.dentry",
    fs_pwd_mount = "?fs_struct.pwd.mnt",
    cred_uid = "cred.uid",
    cred_gid = "cred.gid",
    cred_euid = "cred.euid",
    pid_level = "pid.level",
    pid_numbers = "pid.numbers",
    upid_size = "size:upid",
    upid_number = "upid.nr",
    signal_live = "signal_struct.live",
    signal_tty = "signal_struct.tty",
    signal_pids = "signal_struct.pids",
    pid_type_session = "enum:pid_type.PIDTYPE_SID",
    tty_name = "tty_struct.name",
    css_set_default = "css_set.dfl_cgrp",
    css_set_subsystems = "css_set.subsys",
    css_cgroup = "cgroup_subsys_state.cgroup",
    cgroup_node = "cgroup.kn",
    cgroup_level = "cgroup.level",
    cgroup_root = "cgroup.root",
    cgroup_root_hierarchy = "cgroup_root.hierarchy_id",
    node_id = "kernfs_node.id",
    files_table = "files_struct.fdt",
    table_max = "fdtable.max_fds",
    table_files = "fdtable.fd",
    file_private = "file.private_data",
    file_inode = "file.f_inode",
    file_dentry = "file.f_path.dentry",
    file_mount = "file.f_path.mnt",
    inode_mode = "inode.i_mode",
    inode_links = "inode.i_nlink",
    inode_number = "?inode.i_ino",
    inode_super = "?inode.i_sb",
    super_magic = "?super_block.s_magic",
    proc_pid = "?proc_inode.pid",
    proc_entry = "?proc_inode.pde",
    proc_inode = "?proc_inode.vfs_inode",
    entry_parent = "?proc_dir_entry.parent",
    entry_data = "?proc_dir_entry.data",
    seq_private = "?seq_file.private",
    iter_target_private = "?bpf_iter_priv_data.target_private",
    iter_target = "?bpf_iter_priv_data.tinfo",
    iter_info = "?bpf_iter_target_info.reg_info",
    iter_name = "?bpf_iter_reg.target",
    dentry_name = "dentry.d_name.name",
    dentry_inode = "?dentry.d_inode",
    dentry_parent = "dentry.d_parent",
    mount_vfs = "mount.mnt",
    mount_parent = "mount.mnt_parent",
    mount_point = "mount.mnt_mountpoint",
    vfs_root = "vfsmount.mnt_root",
    mm_exe = "mm_struct.exe_file",
    mm_args_start = "mm_struct.arg_start",
    mm_args_end = "mm_struct.arg_end",
    regs_call = "?pt_regs.orig_ax",
    regs_first = "?pt_regs.di",
    regs_second = "?pt_regs.si",
    regs_fifth = "?pt_regs.r8",
    regs_first_compat = "?pt_regs.bx",
    regs_second_compat = "?pt_regs.cx",
}
