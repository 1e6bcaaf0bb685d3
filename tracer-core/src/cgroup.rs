//! What a cgroup path says: container, pod, systemd unit.
//!
//! The forms are those of containerd, CRI-O, Docker and Podman, with the cgroupfs and the systemd
//! driver, nested or not, under version 1, version 2 and both.

use std::{collections::HashMap, sync::Arc};

/// What a cgroup path says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The systemd unit; none for a container.
    pub unit: Option<String>,
    /// The container.
    pub container: Option<Place>,
    /// UID of the Kubernetes pod.
    pub pod: Option<String>,
}

/// A container, as its place in the hierarchy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its full id.
    pub id: String,
    /// The runtime, where the path tells.
    pub runtime: Option<String>,
}

impl Place {
    /// Whether its id is a name that people gave it.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.runtime.as_deref() == Some(LXC)
    }
}

/// LXC, LXD and Incus.
const LXC: &str = "lxc";

/// Prefixes of the last path component and the runtime that writes them.
const PREFIXES: [(&str, Option<&str>); 8] = [
    ("cri-containerd-", Some("containerd")),
    ("containerd-", Some("containerd")),
    ("nerdctl-", Some("containerd")),
    ("crio-", Some("cri-o")),
    ("docker-", Some("docker")),
    ("libpod-payload-", Some("podman")),
    ("libpod-", Some("podman")),
    ("syscont-", Some("sysbox")),
];

/// Suffix of the names of systemd's slices.
const SLICE: &str = ".slice";
/// Suffixes of the names of systemd units that hold processes.
const UNITS: [&str; 6] = [".service", ".scope", ".socket", ".mount", ".swap", ".timer"];

/// Reads a cgroup path.
#[must_use]
pub fn meaning(path: &str) -> Meaning {
    let components: Vec<&str> = path.split('/').filter(|c| !c.is_empty()).collect();
    // The innermost container counts: with Docker in Docker or kind there are several.
    let container = (0..components.len())
        .rev()
        .find_map(|at| container_at(&components, at));
    Meaning {
        unit: if container.is_some() {
            None
        } else {
            unit_of(&components)
        },
        pod: components.iter().rev().find_map(|c| pod_in(c)),
        container,
    }
}

/// The unit that the system's manager keeps: the first one below its slices, as systemd reads a path.
/// What lies below a unit is the unit's own affair, and may have any name. A unit that a user's manager
/// keeps is told with that manager, for it may be called like one of the system.
fn unit_of(components: &[&str]) -> Option<String> {
    let (unit, below) = first_unit(components)?;
    let inner = is_user_manager(unit).then(|| first_unit(below)).flatten();
    Some(match inner {
        Some((inner, _)) => format!("{unit}/{inner}"),
        None => unit.to_owned(),
    })
}

/// The first component that is not a slice, if that is a unit, and those below it.
fn first_unit<'a, 'b>(components: &'b [&'a str]) -> Option<(&'a str, &'b [&'a str])> {
    let at = components.iter().position(|one| !one.ends_with(SLICE))?;
    let (unit, below) = components.get(at..)?.split_first()?;
    let is_unit = UNITS.iter().any(|suffix| unit.ends_with(suffix));
    is_unit.then_some((*unit, below))
}

/// `user@UID.service`
fn is_user_manager(unit: &str) -> bool {
    let uid = unit
        .strip_prefix("user@")
        .and_then(|rest| rest.strip_suffix(".service"));
    uid.is_some_and(|uid| !uid.is_empty() && uid.bytes().all(|byte| byte.is_ascii_digit()))
}

fn container_at(components: &[&str], at: usize) -> Option<Place> {
    let component = components.get(at)?;
    if let Some(name) = lxc_name(components, at) {
        return Some(Place {
            id: name.to_owned(),
            runtime: Some(LXC.to_owned()),
        });
    }
    let name = component.strip_suffix(".scope").unwrap_or(component);
    // conmon watches a container from outside.
    if name.starts_with("crio-conmon-") || name.starts_with("libpod-conmon-") {
        return None;
    }
    // The systemd driver's cgroup string, where cgroupfs made a directory of it:
    // `kubepods-….slice:cri-containerd:<id>`.
    if let Some((before, id)) = name.rsplit_once(':') {
        let prefix = before.rsplit(':').next().unwrap_or_default();
        return container(id, runtime_of(&format!("{prefix}-")));
    }
    for (prefix, runtime) in PREFIXES {
        if let Some(id) = name.strip_prefix(prefix) {
            return container(id, runtime);
        }
    }
    let parent = at.checked_sub(1).and_then(|at| components.get(at));
    let runtime = match parent.copied() {
        Some("docker") => Some("docker"),
        Some("libpod_parent") => Some("podman"),
        _ => None,
    };
    container(name, runtime)
}

fn runtime_of(prefix: &str) -> Option<&'static str> {
    PREFIXES
        .iter()
        .find(|(known, _)| *known == prefix)
        .and_then(|(_, runtime)| *runtime)
}

fn container(id: &str, runtime: Option<&str>) -> Option<Place> {
    is_container_id(id).then(|| Place {
        id: id.to_owned(),
        runtime: runtime.map(str::to_owned),
    })
}

/// 64 hexadecimal digits, or the five groups of a Garden container.
fn is_container_id(id: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_garden = || {
        let groups: Vec<&str> = id.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        lengths == [8, 4, 4, 4, 4] && groups.iter().all(|group| is_hex(group))
    };
    (id.len() == 64 && is_hex(id)) || is_garden()
}

/// `/lxc/NAME`, `/lxc.payload.NAME`, `/lxc.payload/NAME`
fn lxc_name<'a>(components: &[&'a str], at: usize) -> Option<&'a str> {
    let component = components.get(at)?;
    if let Some(name) = component.strip_prefix("lxc.payload.") {
        return Some(name);
    }
    let parent = components.get(at.checked_sub(1)?)?;
    matches!(*parent, "lxc" | "lxc.payload").then_some(component)
}

/// The pod UID in a component: `pod<uid>` behind an optional slice prefix. A static pod's is the hash
/// of its manifest, 32 digits without dashes.
fn pod_in(component: &str) -> Option<String> {
    let name = component.split(':').next().unwrap_or(component);
    let name = name.strip_suffix(".slice").unwrap_or(name);
    let uid = match name.rsplit_once("-pod") {
        Some((_, uid)) => uid,
        None => name.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let groups: Vec<usize> = uid.split('-').map(str::len).collect();
    let is_uid = groups == [8, 4, 4, 4, 12] || groups == [32];
    (is_uid && uid.split('-').all(is_hex)).then_some(uid)
}

/// A cgroup that is known.
#[derive(Debug)]
struct Known {
    path: Arc<str>,
    meaning: Meaning,
}

/// All cgroups that are known.
#[derive(Debug, Default)]
pub struct Cgroups {
    known: HashMap<(u64, bool), Known>,
}

impl Cgroups {
    /// Enters a path. A kernfs id is never used again within a boot.
    pub fn learn(&mut self, id: u64, is_v1: bool, path: &str) {
        let known = Known {
            path: Arc::from(path),
            meaning: meaning(path),
        };
        self.known.insert((id, is_v1), known);
    }

    /// Whether the cgroup is known.
    #[must_use]
    pub fn knows(&self, id: u64, is_v1: bool) -> bool {
        self.known.contains_key(&(id, is_v1))
    }

    /// The path of a cgroup.
    #[must_use]
    pub fn path(&self, id: u64, is_v1: bool) -> Option<&Arc<str>> {
        self.known.get(&(id, is_v1)).map(|known| &known.path)
    }

    /// What the path of a cgroup says.
    #[must_use]
    pub fn meaning(&self, id: u64, is_v1: bool) -> Option<&Meaning> {
        self.known.get(&(id, is_v1)).map(|known| &known.meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899";
    const OTHER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";

    fn check(path: &str, id: Option<&str>, runtime: Option<&str>, pod: Option<&str>) {
        let path = path
            .replace("U_I_D", &UID.replace('-', "_"))
            .replace("UID", UID)
            .replace("OTHER", OTHER)
            .replace("ID", ID);
        let meaning = meaning(&path);
        let container = meaning.container.as_ref();
        assert_eq!(container.map(|c| c.id.as_str()), id, "{path}");
        assert_eq!(
            container.and_then(|c| c.runtime.as_deref()),
            runtime,
            "{path}"
        );
        assert_eq!(meaning.pod.as_deref(), pod, "{path}");
        assert!(meaning.unit.is_none() || id.is_none(), "{path}");
    }

    #[test]
    fn kubernetes_with_the_cgroupfs_driver() {
        check("/kubepods/burstable/podUID/ID", Some(ID), None, Some(UID));
        check("/kubepods/podUID/ID", Some(ID), None, Some(UID));
        check(
            "/kubepods/podUID/crio-ID",
            Some(ID),
            Some("cri-o"),
            Some(UID),
        );
        check("/kubepods/podUID/crio-conmon-ID", None, None, Some(UID));
        check("/kubepods/podUID/ID/kube-proxy", Some(ID), None, Some(UID));
        let manifest = "0123456789abcdef0123456789abcdef";
        check(
            &format!("/kubepods/pod{manifest}/ID"),
            Some(ID),
            None,
            Some(manifest),
        );
    }

    #[test]
    fn kubernetes_with_the_systemd_driver() {
        for (prefix, runtime) in [
            ("cri-containerd", "containerd"),
            ("crio", "cri-o"),
            ("docker", "docker"),
            ("libpod", "podman"),
        ] {
            let path = format!(
                "/kubepods.slice/kubepods-burstable.slice/\
                 kubepods-burstable-podU_I_D.slice/{prefix}-ID.scope"
            );
            check(&path, Some(ID), Some(runtime), Some(UID));
        }
        check(
            "/kubepods.slice/kubepods-podU_I_D.slice/crio-ID.scope/container",
            Some(ID),
            Some("cri-o"),
            Some(UID),
        );
        check(
            "/kubepods-besteffort-podU_I_D.slice:cri-containerd:ID",
            Some(ID),
            Some("containerd"),
            Some(UID),
        );
    }

    #[test]
    fn the_innermost_container_counts() {
        check(
            "/system.slice/docker-OTHER.scope/kubepods/burstable/podUID/ID",
            Some(ID),
            None,
            Some(UID),
        );
        check(
            "/x/docker/OTHER/kubelet.slice/kubelet-kubepods.slice/\
             kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podU_I_D.slice/\
             cri-containerd-ID.scope",
            Some(ID),
            Some("containerd"),
            Some(UID),
        );
    }

    #[test]
    fn containers_without_kubernetes() {
        check("/docker/ID", Some(ID), Some("docker"), None);
        check(
            "/system.slice/docker-ID.scope",
            Some(ID),
            Some("docker"),
            None,
        );
        check(
            "/machine.slice/libpod-ID.scope/container",
            Some(ID),
            Some("podman"),
            None,
        );
        check("/libpod_parent/libpod-ID", Some(ID), Some("podman"), None);
        check("/machine.slice/libpod-conmon-ID.scope", None, None, None);
        check("/lxc/web", Some("web"), Some("lxc"), None);
        check(
            "/lxc.payload.web/init.scope",
            Some("web"),
            Some("lxc"),
            None,
        );
        check(
            "/../cri-containerd-ID.scope",
            Some(ID),
            Some("containerd"),
            None,
        );
        check(
            "/garden/01234567-89ab-cdef-0123-4567",
            Some("01234567-89ab-cdef-0123-4567"),
            None,
            None,
        );
        check("/user.slice", None, None, None);
        check("/kubepods/burstable/podnotauid/short", None, None, None);
    }

    #[test]
    fn units() {
        let unit = |path: &str| meaning(path).unit;
        assert_eq!(
            unit("/system.slice/nginx.service"),
            Some("nginx.service".into())
        );
        let manager = "/user.slice/user-1000.slice/user@1000.service";
        for (below, expected) in [
            (
                "/app.slice/foo.service/sub",
                "user@1000.service/foo.service",
            ),
            (
                "/app.slice/app-org.slice/a.scope",
                "user@1000.service/a.scope",
            ),
            ("/init.scope", "user@1000.service/init.scope"),
            ("", "user@1000.service"),
        ] {
            assert_eq!(
                unit(&format!("{manager}{below}")).as_deref(),
                Some(expected)
            );
        }
        // What a service calls its own cgroups makes it no other service.
        assert_eq!(
            unit("/system.slice/evil.service/nginx.service"),
            Some("evil.service".into())
        );
        assert_eq!(unit("/init.scope"), Some("init.scope".into()));
        assert_eq!(
            unit("/user.slice/user-1000.slice/session-3.scope"),
            Some("session-3.scope".into())
        );
        for none in [
            "/",
            "/user.slice",
            "/made/by/hand",
            "/made.slice/by/nginx.service",
        ] {
            assert_eq!(unit(none), None, "{none}");
        }
    }
}
