//! Diagnostics of the kernel programs themselves: `--kernel-log`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context as _;
use aya::Ebpf;
use aya_log::EbpfLogger;
use clap::ValueEnum;
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

/// The way from the kernel's log ring to stderr: a thread of its own, so that a terminal that is slow
/// holds up nothing else. What does not fit into the ring meanwhile is gone.
pub struct KernelLog {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(50);

impl KernelLog {
    /// Takes the log ring of the object, unless the log is off.
    pub fn open(ebpf: &mut Ebpf, level: Level) -> anyhow::Result<Option<Self>> {
        if level == Level::Off {
            return Ok(None);
        }
        let mut logger = EbpfLogger::init(ebpf).context("cannot open the log of the programs")?;
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let run = move || {
            while !ends.load(Ordering::Relaxed) {
                logger.flush();
                std::thread::park_timeout(INTERVAL);
            }
            logger.flush();
        };
        let thread = std::thread::Builder::new().name("kernel-log".to_owned());
        Ok(Some(Self {
            is_over,
            thread: Some(thread.spawn(run).context("cannot start a thread")?),
        }))
    }
}

impl Drop for KernelLog {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
