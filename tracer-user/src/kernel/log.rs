//! Diagnostics of the kernel programs themselves: `--kernel-log`.

use anyhow::Context as _;
use aya::Ebpf;
use aya_log::EbpfLogger;
use clap::ValueEnum;
use log::Log;
use tracing_subscriber::filter::LevelFilter;

/// What the programs call themselves: the name of the kernel object.
pub const KERNEL_TARGET: &str = "conntracer_ebpf";

/// How much the kernel programs say of themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Nothing; costs nothing
    #[default]
    Off,
    /// What went wrong
    Error,
    /// What may be wrong
    Warn,
    /// What is done
    Info,
    /// Every hook that fires
    Debug,
    /// Everything
    Trace,
}

impl Level {
    /// As aya-log numbers it.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What is let through.
    pub fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// The way from the kernel's log ring to stderr.
pub struct KernelLog {
    logger: EbpfLogger<&'static dyn Log>,
}

impl KernelLog {
    /// Takes the log ring of the object, unless the log is off.
    pub fn open(ebpf: &mut Ebpf, level: Level) -> anyhow::Result<Option<Self>> {
        if level == Level::Off {
            return Ok(None);
        }
        let logger = EbpfLogger::init(ebpf).context("cannot open the log of the programs")?;
        Ok(Some(Self { logger }))
    }

    /// Writes what is there.
    pub fn flush(&mut self) {
        self.logger.flush();
    }
}
