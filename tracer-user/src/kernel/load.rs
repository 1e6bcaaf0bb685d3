//! Loading the kernel object and attaching, for each fact, the best rung that the kernel grants.

mod explain;

use std::{any::Any, fs::File, io, os::fd::AsFd as _};

use anyhow::{Context as _, bail};
use aya::{
    Btf as AyaBtf, Ebpf, EbpfError, EbpfLoader,
    programs::{CgroupAttachMode, CgroupSkbAttachType, Program as AyaProgram, ProgramError},
};
use tracer_abi::{Offsets, Settings};
use tracer_core::{fact, select::Compiled};
use zerocopy::IntoBytes as _;

use super::{
    btf::Btf,
    iterate::Iterator,
    ladder::{Arguments, Fact, Hook, Program, Rung},
    maps, object, offsets,
    policy::Policy,
    version,
};
use crate::host::{cgroups::Hierarchies, sockets};

/// Where the kernel describes its types.
const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// What is to be loaded.
pub struct Request<'a> {
    /// What is to be known.
    pub facts: &'a [Fact],
    /// Which hooks may be used.
    pub policy: &'a Policy,
    /// What the kernel half selects by.
    pub selection: &'a Compiled,
    /// Bytes of the ring; a power of two and a multiple of the page size.
    pub ring_bytes: u32,
    /// How long a connection has been open, milliseconds, before it is updated.
    pub update_ms: u32,
    /// How long there is no datagram, milliseconds, before a flow is over.
    pub idle_ms: u32,
    /// Every TCP state change is reported.
    pub states: bool,
    /// Level of the programs' own diagnostics, as `aya_log` numbers them; zero: off.
    pub log_level: u8,
}

/// The programs, attached.
pub struct Attached {
    /// The object with its maps.
    pub ebpf: Ebpf,
    /// What holds the programs in their places. Dropping a link detaches.
    links: Vec<Box<dyn Any + Send>>,
    /// The programs that are in their places.
    pub in_place: Vec<Program>,
    /// What became of each fact.
    pub facts: Vec<Outcome>,
}

/// What became of a fact.
pub struct Outcome {
    /// The fact.
    pub fact: Fact,
    /// The rung that reports it.
    pub used: Option<&'static Rung>,
    /// Better ones, and why they were refused.
    pub refused: Vec<(&'static Rung, String)>,
}

impl Attached {
    /// Detaches everything. Frames that were written before can still be drained.
    pub fn detach(&mut self) {
        self.links.clear();
    }

    /// A program that is run over all of something; over the elements of a map, if one is named.
    pub fn iterator(&self, program: Program, map: Option<&str>) -> anyhow::Result<Iterator> {
        let name = program.name;
        let loaded = self.ebpf.program(name);
        let loaded = loaded.with_context(|| format!("the kernel object has no {name}"))?;
        let map = match map {
            Some(map) => Some(maps::descriptor(&self.ebpf, map)?),
            None => None,
        };
        Iterator::new(loaded.fd()?.as_fd(), map).with_context(|| format!("cannot run {name}"))
    }

    /// Which hook reports which fact.
    pub fn hooks(&self) -> Vec<fact::Hook> {
        let used = |outcome: &Outcome| Some((outcome.fact, outcome.used?));
        self.facts.iter().filter_map(used).map(hook).collect()
    }

    /// What a program reports, alone or with others.
    pub fn hooks_of(&self, program: &str) -> Vec<fact::Hook> {
        let has_program = |rung: &Rung| {
            let mut programs = rung.programs.iter();
            programs.any(|one| one.names().any(|name| name == program))
        };
        let reported = |outcome: &Outcome| {
            let rung = outcome.used.filter(|rung| has_program(rung))?;
            Some(hook((outcome.fact, rung)))
        };
        self.facts.iter().filter_map(reported).collect()
    }

    /// What this kernel kept us from doing, in sentences.
    pub fn degraded(&self) -> Vec<String> {
        self.facts.iter().filter_map(Outcome::degradation).collect()
    }

    /// The programs as the kernel has them.
    pub fn programs(&self) -> Vec<fact::Program> {
        let mut programs: Vec<fact::Program> = self
            .ebpf
            .programs()
            .filter_map(|(name, program)| {
                let info = program.info().ok()?;
                Some(fact::Program {
                    name: name.to_owned(),
                    tag: format!("{:016x}", info.tag()),
                })
            })
            .collect();
        programs.sort_by(|a, b| a.name.cmp(&b.name));
        programs
    }
}

fn hook((fact, rung): (Fact, &Rung)) -> fact::Hook {
    fact::Hook {
        name: fact.name().to_owned(),
        via: rung.via.to_owned(),
    }
}

impl Outcome {
    /// What is missing, in a sentence.
    pub fn degradation(&self) -> Option<String> {
        let name = self.fact.name();
        match self.used {
            None => Some(format!("{name}: {}", self.fact.loss())),
            Some(rung) => rung
                .cost
                .map(|cost| format!("{name} through {rung}: {cost}")),
        }
    }
}

/// Loads the object and attaches its programs.
pub fn attach(request: &Request<'_>) -> anyhow::Result<Attached> {
    let attached = climb(request);
    // The types of the kernel took tens of megabytes that nobody needs any more.
    // SAFETY: only gives free memory back to the kernel.
    unsafe { nix::libc::malloc_trim(0) };
    attached
}

fn climb(request: &Request<'_>) -> anyhow::Result<Attached> {
    version::check()?;
    let btf_bytes = std::fs::read(BTF_PATH).with_context(|| {
        format!("this kernel does not describe its types in {BTF_PATH} (CONFIG_DEBUG_INFO_BTF)")
    })?;
    let btf = Btf::parse(&btf_bytes).with_context(|| format!("cannot read {BTF_PATH}"))?;
    let aya_btf = AyaBtf::from_sys_fs().with_context(|| format!("cannot read {BTF_PATH}"))?;
    let hierarchies = Hierarchies::find();
    let ebpf = load_object(request, &btf, &hierarchies)?;
    let mut ladder = Climber {
        attached: Attached {
            ebpf,
            links: Vec::new(),
            in_place: Vec::new(),
            facts: Vec::new(),
        },
        btf: &btf,
        aya_btf: &aya_btf,
        root_cgroup: hierarchies.unified().map(File::open),
    };
    maps::fill(&mut ladder.attached.ebpf, request.selection)?;
    for fact in request.facts {
        ladder.climb(*fact, request.policy)?;
        if *fact == Fact::Cgroup {
            // From here the programs admit new cgroups, so what exists now is all that is missing.
            maps::admit_cgroups(&mut ladder.attached.ebpf, request.selection, &hierarchies)?;
        }
    }
    Ok(ladder.attached)
}

fn load_object(
    request: &Request<'_>,
    btf: &Btf<'_>,
    hierarchies: &Hierarchies,
) -> anyhow::Result<Ebpf> {
    let offsets = offsets::resolve(btf).context("conntracer does not know this kernel")?;
    let v1 = hierarchies.v1_controller();
    let settings = Settings {
        own_tgid: std::process::id(),
        wake_bytes: request.ring_bytes / 4,
        update_ms: request.update_ms,
        idle_ms: request.idle_ms,
        v1_subsystem: v1
            .and_then(|v1| {
                btf.value_of(&format!("cgroup_subsys_id.{}_cgrp_id", v1.name))
                    .ok()
            })
            .unwrap_or(Offsets::MISSING),
        v1_hierarchy: v1.map_or(u32::MAX, |v1| v1.number),
        states: u32::from(request.states),
    };
    let room = sockets::room();
    let logs_bytes = if request.log_level == 0 {
        4096
    } else {
        1 << 20
    };
    EbpfLoader::new()
        .override_global("OFFSETS", offsets.as_bytes(), true)
        .override_global("SETTINGS", settings.as_bytes(), true)
        .override_global("SELECTION", request.selection.selection.as_bytes(), true)
        .override_global(aya_log::LEVEL, &request.log_level, false)
        .map_max_entries("EVENTS", request.ring_bytes)
        .map_max_entries("COUNTERS", cpus()?)
        .map_max_entries("CONNECTIONS", room)
        .map_max_entries("REMOTES", networks_room(request.selection.remotes.len()))
        .map_max_entries("STATES", if request.states { room } else { 1 })
        .map_max_entries("AYA_LOGS", logs_bytes)
        .load(object::BYTES)
        .map_err(|error| match error {
            EbpfError::MapError(error) => anyhow::anyhow!("the kernel refuses a map: {error}"),
            other => anyhow::anyhow!("cannot load the kernel object: {other}"),
        })
}

/// For how many networks there is room: feeds grow while they are watched. What is not there takes no memory.
fn networks_room(count: usize) -> u32 {
    let room = count.saturating_mul(2).saturating_add(1 << 16);
    u32::try_from(room).unwrap_or(u32::MAX)
}

/// How many CPUs the machine can have.
pub fn cpus() -> anyhow::Result<u32> {
    let count = aya::util::nr_cpus().map_err(|(path, error)| {
        anyhow::Error::new(error).context(format!("cannot read {path}"))
    })?;
    Ok(u32::try_from(count)?)
}

/// Goes down the ladder of each fact.
struct Climber<'a> {
    attached: Attached,
    btf: &'a Btf<'a>,
    aya_btf: &'a AyaBtf,
    root_cgroup: Option<io::Result<File>>,
}

impl Climber<'_> {
    fn climb(&mut self, fact: Fact, policy: &Policy) -> anyhow::Result<()> {
        let mut refused = Vec::new();
        let mut used = None;
        for rung in policy.rungs(fact) {
            match self.step(rung) {
                Ok(()) => {
                    used = Some(rung);
                    break;
                }
                Err(why) => refused.push((rung, why)),
            }
        }
        if used.is_none() && fact.is_essential() {
            let whys: Vec<String> = refused
                .iter()
                .map(|(rung, why)| format!("{rung}: {why}"))
                .collect();
            bail!(
                "{}, because the kernel refuses every hook for it ({})",
                fact.loss(),
                whys.join("; ")
            );
        }
        self.attached.facts.push(Outcome {
            fact,
            used,
            refused,
        });
        Ok(())
    }

    /// Attaches all programs of a rung, or none.
    fn step(&mut self, rung: &'static Rung) -> Result<(), String> {
        // Before any is loaded: one that is needed by the next rung too cannot be loaded twice.
        let mut programs = Vec::new();
        for program in rung.programs {
            if !self.attached.in_place.contains(program) && self.fits(rung, program)? {
                programs.push(*program);
            }
        }
        let mut links = Vec::new();
        for program in &programs {
            for name in program.names() {
                links.push(self.place(name, program.hook)?);
            }
        }
        self.attached.links.append(&mut links);
        self.attached.in_place.extend(programs);
        Ok(())
    }

    /// Whether a program of a rung is made for this kernel. Not if none of the rung is that ought to
    /// be.
    fn fits(&self, rung: &Rung, program: &Program) -> Result<bool, String> {
        match (program.hook, program.made_for) {
            (Hook::Fexit(function, parameters), _) => {
                self.has_parameters(rung, function, parameters)
            }
            (_, Some(made_for)) => self.has_arguments(rung, made_for),
            _ => Ok(true),
        }
    }

    /// Of several programs made for the arguments of a tracepoint only those made for the ones it has
    /// fit.
    fn has_arguments(&self, rung: &Rung, made_for: Arguments) -> Result<bool, String> {
        let tracepoint = made_for.tracepoint;
        let found = self
            .btf
            .arguments_of(tracepoint)
            .ok_or_else(|| format!("this kernel has no {tracepoint}"))?;
        let is_made_for_it = |program: &Program| {
            let of_this = |other: Arguments| other.tracepoint == tracepoint && other.kinds == found;
            program.made_for.is_some_and(of_this)
        };
        if !rung.programs.iter().any(is_made_for_it) {
            return Err(format!("{tracepoint} has other arguments in this kernel"));
        }
        Ok(found == made_for.kinds)
    }

    /// Of several programs at the return of one function only the one made for its number of
    /// parameters fits.
    fn has_parameters(
        &self,
        rung: &Rung,
        function: &str,
        parameters: usize,
    ) -> Result<bool, String> {
        let found = self
            .btf
            .parameters_of(function)
            .ok_or_else(|| format!("this kernel has no {function}"))?;
        let is_made_for_it = |program: &Program| matches!(program.hook, Hook::Fexit(other, count) if other == function && count == found);
        if !rung.programs.iter().any(is_made_for_it) {
            return Err(format!("{function} has {found} parameters in this kernel"));
        }
        Ok(found == parameters)
    }

    /// Loads and attaches one program.
    fn place(&mut self, name: &str, hook: Hook) -> Result<Box<dyn Any + Send>, String> {
        let loaded = self
            .attached
            .ebpf
            .program_mut(name)
            .ok_or_else(|| format!("the kernel object has no {name}"))?;
        let cgroup = match &self.root_cgroup {
            Some(Ok(directory)) => Ok(directory),
            Some(Err(error)) => Err(format!("cannot open the root cgroup: {error}")),
            None => Err("no version 2 cgroup hierarchy is mounted".to_owned()),
        };
        let result = match hook {
            Hook::Fentry(target) | Hook::Fexit(target, _) | Hook::TpBtf(target) => {
                place_typed(loaded, target, self.aya_btf)
            }
            Hook::Kprobe(target) | Hook::Kretprobe(target) => place_probe(loaded, target),
            Hook::SockOps | Hook::Sock | Hook::SockAddr => place_cgroup(loaded, cgroup?),
            Hook::SkbEgress => place_skb(loaded, cgroup?, CgroupSkbAttachType::Egress),
            Hook::SkbIngress => place_skb(loaded, cgroup?, CgroupSkbAttachType::Ingress),
            Hook::Iter(target) => place_iterator(loaded, target, self.aya_btf),
        };
        result.map_err(|error| explain::explain(name, hook, &error))
    }
}

/// A program that is attached by the BTF id of its target.
fn place_typed(
    program: &mut AyaProgram,
    target: &str,
    btf: &AyaBtf,
) -> Result<Box<dyn Any + Send>, ProgramError> {
    match program {
        AyaProgram::FEntry(program) => {
            program.load(target, btf)?;
            let id = program.attach()?;
            Ok(Box::new(program.take_link(id)?))
        }
        AyaProgram::FExit(program) => {
            program.load(target, btf)?;
            let id = program.attach()?;
            Ok(Box::new(program.take_link(id)?))
        }
        AyaProgram::BtfTracePoint(program) => {
            program.load(target, btf)?;
            let id = program.attach()?;
            Ok(Box::new(program.take_link(id)?))
        }
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

fn place_probe(
    program: &mut AyaProgram,
    target: &str,
) -> Result<Box<dyn Any + Send>, ProgramError> {
    let AyaProgram::KProbe(program) = program else {
        return Err(ProgramError::UnexpectedProgramType);
    };
    program.load()?;
    match program.attach(target, 0) {
        Ok(id) => Ok(Box::new(program.take_link(id)?)),
        Err(error) => {
            // Where probes are refused, that is only known now; what nothing calls need not stay.
            let _ = program.unload();
            Err(error)
        }
    }
}

/// The links of cgroup programs are always shared with those of others, so the mode says nothing;
/// `AllowMultiple` would be refused.
fn place_cgroup(
    program: &mut AyaProgram,
    cgroup: &File,
) -> Result<Box<dyn Any + Send>, ProgramError> {
    let mode = CgroupAttachMode::Single;
    match program {
        AyaProgram::SockOps(program) => {
            program.load()?;
            let id = program.attach(cgroup, mode)?;
            Ok(Box::new(program.take_link(id)?))
        }
        AyaProgram::CgroupSock(program) => {
            program.load()?;
            let id = program.attach(cgroup, mode)?;
            Ok(Box::new(program.take_link(id)?))
        }
        AyaProgram::CgroupSockAddr(program) => {
            program.load()?;
            let id = program.attach(cgroup, mode)?;
            Ok(Box::new(program.take_link(id)?))
        }
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}

fn place_skb(
    program: &mut AyaProgram,
    cgroup: &File,
    direction: CgroupSkbAttachType,
) -> Result<Box<dyn Any + Send>, ProgramError> {
    let AyaProgram::CgroupSkb(program) = program else {
        return Err(ProgramError::UnexpectedProgramType);
    };
    program.load()?;
    let id = program.attach(cgroup, direction, CgroupAttachMode::Single)?;
    Ok(Box::new(program.take_link(id)?))
}

/// An iterator runs when we read from it; loading it shows whether it may.
fn place_iterator(
    program: &mut AyaProgram,
    target: &str,
    btf: &AyaBtf,
) -> Result<Box<dyn Any + Send>, ProgramError> {
    let AyaProgram::Iter(program) = program else {
        return Err(ProgramError::UnexpectedProgramType);
    };
    program.load(target, btf)?;
    Ok(Box::new(()))
}
