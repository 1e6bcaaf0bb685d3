//! Which machine this is.

use tracer_core::fact::Host;

/// Reads what names the machine; what cannot be read stays empty.
pub fn read() -> Host {
    Host {
        name: line("/proc/sys/kernel/hostname"),
        kernel: line("/proc/sys/kernel/osrelease"),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
        machine_id: line("/etc/machine-id"),
    }
}

fn line(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
