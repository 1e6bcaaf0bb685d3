//! What the first record tells of the machine, and every document of a schema repeats.

use crate::record::Start;

/// The traced machine and what traces it; nothing is known before the first record.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Version of conntracer.
    pub version: Option<String>,
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// Names the boot.
    pub boot: Option<String>,
    /// Names the installation.
    pub id: Option<String>,
}

impl Machine {
    /// From the first record.
    pub fn of(start: &Start) -> Self {
        let known = |text: &String| (!text.is_empty()).then(|| text.clone());
        Self {
            version: known(&start.version),
            kernel: known(&start.kernel),
            boot: known(&start.boot_id),
            id: known(&start.machine_id),
        }
    }
}
