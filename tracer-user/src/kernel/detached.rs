//! Hooks that somebody has taken away while tracing.
//!
//! That can be done to links at a cgroup, by whoever may load programs or removes the cgroup; links of
//! tracing programs and of probes know no such operation. The kernel tells it in its description of
//! the link, which is a file to read and no call of `bpf`, for such a call suspends kprobes.

use std::{
    collections::BTreeMap,
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use tracer_core::fact::Detached;

use super::{ladder::Program, load::Attached};

/// Where the kernel describes our descriptors.
const DESCRIPTIONS: &str = "/proc/self/fdinfo";

/// The links at cgroups that this process holds.
pub struct Watch {
    links: Vec<Link>,
    /// How many have been taken away so far.
    count: u64,
}

/// A link that is in its place.
struct Link {
    /// The file in which the kernel describes it.
    description: String,
    id: u64,
    /// What is said when it is not.
    loss: Detached,
}

impl Watch {
    /// Watches the links that are in their places now.
    pub fn new(attached: &Attached) -> Self {
        let names = names_of_programs(attached);
        let entries = fs::read_dir(DESCRIPTIONS).into_iter().flatten().flatten();
        let link = |entry: fs::DirEntry| {
            let description = entry.path().display().to_string();
            let state = State::read(&fs::read_to_string(&description).ok()?)?;
            // Of another's, which whoever started us has left open, there is nothing to say.
            let program = *names.get(&state.program)?;
            (state.cgroup != 0).then(|| Link {
                description,
                id: state.link,
                loss: Detached {
                    program: program.to_owned(),
                    hooks: attached.hooks_of(program),
                },
            })
        };
        Self {
            links: entries.filter_map(link).collect(),
            count: 0,
        }
    }

    /// Looks which have been taken away since it looked last. One that we have closed ourselves has
    /// not: its description is gone, or is of something else.
    pub fn look(&mut self) -> Vec<Detached> {
        let is_detached = |link: &mut Link| {
            let text = fs::read_to_string(&link.description).unwrap_or_default();
            State::read(&text).is_some_and(|state| state.link == link.id && state.cgroup == 0)
        };
        let detached: Vec<Link> = self.links.extract_if(.., is_detached).collect();
        self.count += detached.len() as u64;
        detached.into_iter().map(|link| link.loss).collect()
    }

    /// How many have been taken away, as far as it has looked.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// Id of a program in the kernel → its name.
fn names_of_programs(attached: &Attached) -> BTreeMap<u64, &'static str> {
    let names = attached.in_place.iter().flat_map(Program::names);
    let id_of = |name: &'static str| {
        let descriptor = attached.ebpf.program(name)?.fd().ok()?.as_fd().as_raw_fd();
        let description = fs::read_to_string(format!("{DESCRIPTIONS}/{descriptor}")).ok()?;
        Some((number(&description, "prog_id:")?, name))
    };
    names.filter_map(id_of).collect()
}

/// What the kernel says of a link at a cgroup.
#[derive(Debug, PartialEq, Eq)]
struct State {
    /// Its id.
    link: u64,
    /// The id of its program.
    program: u64,
    /// The id of the cgroup: zero once it is detached.
    cgroup: u64,
}

impl State {
    /// `None` for a description of anything else.
    fn read(description: &str) -> Option<Self> {
        (value(description, "link_type:")? == "cgroup").then_some(())?;
        Some(Self {
            link: number(description, "link_id:")?,
            program: number(description, "prog_id:")?,
            cgroup: number(description, "cgroup_id:")?,
        })
    }
}

fn value<'a>(description: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = description.lines();
    lines.find_map(|line| line.strip_prefix(key).map(str::trim))
}

fn number(description: &str, key: &str) -> Option<u64> {
    value(description, key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_at_a_cgroup_is_told_from_others() {
        let of = |kind: &str, cgroup: &str| {
            format!(
                "pos:\t0\nlink_type:\t{kind}\nlink_id:\t7\nprog_tag:\t01\nprog_id:\t9\n{cgroup}"
            )
        };
        let at = |cgroup| State {
            link: 7,
            program: 9,
            cgroup,
        };
        assert_eq!(State::read(&of("cgroup", "cgroup_id:\t1\n")), Some(at(1)));
        assert_eq!(State::read(&of("cgroup", "cgroup_id:\t0\n")), Some(at(0)));
        assert_eq!(State::read(&of("tracing", "")), None);
        assert_eq!(State::read("pos:\t0\nprog_type:\t26\n"), None);
    }
}
