//! Which machine this is.

use tracer_core::fact::Host;

use super::{below, etc};

/// Bytes of a machine's id that are read: it has 32 digits.
const MACHINE_ID_MAX: u64 = 128;

/// Reads what names the machine; what cannot be read stays empty.
pub fn read() -> Host {
    Host {
        name: line("/proc/sys/kernel/hostname"),
        kernel: line("/proc/sys/kernel/osrelease"),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
        machine_id: machine_id(),
    }
}

/// The machine's, which the first process sees: conntracer may be in a container itself.
fn machine_id() -> String {
    let below = |root: &str| {
        let file = below::file(root, "etc/machine-id").ok()?;
        let text = etc::text_of(file, MACHINE_ID_MAX).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let found = below("/proc/1/root").or_else(|| below("/"));
    found.unwrap_or_default()
}

fn line(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
