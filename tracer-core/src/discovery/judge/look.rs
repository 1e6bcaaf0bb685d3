//! What each analytic says of an act by itself.

use super::{Signs, command, has_numbers, seen, user_of};
use crate::discovery::{
    Act, Analytic, Elements, Severity, What,
    elements::{
        Allowed, Esxi, Expression, Globs, Iaas, Linux, Macos, NetworkDevice, UserContextScope,
        Users, Windows,
    },
    finding::{Behaviour, name_of},
};

/// What is said of an act.
pub enum Verdict {
    /// It is no discovery.
    Nothing,
    /// It is, by somebody who may.
    Allowed,
    /// It is, by somebody whose acts are not asked for.
    OutOfScope,
    /// It is.
    Found(Signs),
}

impl From<Option<Signs>> for Verdict {
    fn from(signs: Option<Signs>) -> Self {
        signs.map_or(Self::Nothing, Self::Found)
    }
}

/// Looks at an act.
pub fn look(act: &Act, elements: &Elements) -> Verdict {
    match act.analytic {
        Analytic::Windows => windows(act, &elements.windows).into(),
        Analytic::Linux => linux(act, &elements.linux),
        Analytic::Macos => macos(act, &elements.macos).into(),
        Analytic::Esxi => esxi(act, &elements.esxi).into(),
        Analytic::NetworkDevice => network_device(act, &elements.network_device).into(),
        Analytic::Iaas => iaas(act, &elements.iaas),
    }
}

fn windows(act: &Act, elements: &Windows) -> Option<Signs> {
    let mut signs = fitting(act, &elements.command_pattern_list, "CommandPatternList")?;
    suspicious_parent(act, &elements.suspicious_parent_processes, &mut signs);
    Some(signs)
}

fn linux(act: &Act, elements: &Linux) -> Verdict {
    let signs = match &act.what {
        What::Seen(sights) => Some(seen::signs(sights, act, elements)),
        _ => utility(act, elements),
    };
    let Some(mut signs) = signs else {
        return Verdict::Nothing;
    };
    if is_allowed(act, &elements.allow_list) {
        return Verdict::Allowed;
    }
    let scope = &elements.user_context_scope;
    let (is_administrator, is_service) = (is_administrator(act, scope), is_service(act, scope));
    let is_in_scope = match scope.users {
        Users::All => true,
        Users::NotAdministrators => !is_administrator,
        Users::Services => is_service,
        Users::Containers => act.actor.container.is_some(),
    };
    if !is_in_scope {
        return Verdict::OutOfScope;
    }
    if is_service {
        let who = user_of(act);
        signs.matters(
            Severity::Medium,
            format!("{who} is an account of a service (UserContextScope)"),
        );
    }
    if act.actor.container.is_some() && act.actor.tty.is_none() {
        signs.matters(
            Severity::Medium,
            "in a container, and not at a terminal".to_owned(),
        );
    }
    suspicious_parent(act, &elements.suspicious_parent_processes, &mut signs);
    Verdict::Found(signs)
}

fn macos(act: &Act, elements: &Macos) -> Option<Signs> {
    let mut signs = fitting(
        act,
        &elements.shell_command_watchlist,
        "ShellCommandWatchlist",
    )?;
    let parent = act
        .actor
        .parent
        .as_ref()
        .and_then(|parent| parent.exe.as_deref());
    if let Some(parent) = parent.filter(|parent| elements.terminal_binary_denylist.fit(parent)) {
        signs.matters(
            Severity::High,
            format!("started by {parent}, which is in TerminalBinaryDenylist"),
        );
    }
    Some(signs)
}

fn esxi(act: &Act, elements: &Esxi) -> Option<Signs> {
    let mut signs = fitting(act, &elements.command_pattern_list, "CommandPatternList")?;
    let via = act.actor.via.as_deref();
    if let Some(via) =
        via.filter(|via| elements.execution_origin_check.iter().any(|one| one == via))
    {
        let reason = format!(
            "it came through {via}, outside of the normal interfaces of management (ExecutionOriginCheck)"
        );
        signs.matters(Severity::Medium, reason);
    }
    if !elements.expected_admin_access_window.has(act.time) {
        signs.raise("outside of ExpectedAdminAccessWindow".to_owned());
    }
    Some(signs)
}

fn network_device(act: &Act, elements: &NetworkDevice) -> Option<Signs> {
    let mut signs = fitting(act, &elements.command_pattern_list, "CommandPatternList")?;
    let check = &elements.privileged_user_check;
    let who = user_of(act);
    if !check.users.is_empty() {
        let name = act.actor.user.as_deref().unwrap_or_default();
        if !check.users.fit(name) {
            signs.matters(
                Severity::Medium,
                format!("{who} is none of those who may (PrivilegedUserCheck)"),
            );
        }
    } else if let Some(level) = act.actor.privilege.filter(|level| *level < check.level) {
        let least = check.level;
        let reason =
            format!("{who} has privilege level {level}, less than {least} (PrivilegedUserCheck)");
        signs.matters(Severity::Medium, reason);
    }
    Some(signs)
}

fn iaas(act: &Act, elements: &Iaas) -> Verdict {
    let What::Call(operation) = &act.what else {
        return Verdict::Nothing;
    };
    if !elements.operation_list.fit(operation) {
        return Verdict::Nothing;
    }
    let principal = act.actor.user.as_deref();
    if principal.is_some_and(|principal| elements.service_principal_allowlist.fit(principal)) {
        return Verdict::Allowed;
    }
    Verdict::Found(Signs {
        behaviours: vec![Behaviour::ApiQuery],
        matched: operation.clone(),
        severity: Severity::Info,
        reasons: vec![format!("`{operation}` lists what is connected")],
    })
}

/// What fits a list of expressions.
fn fitting(act: &Act, list: &[Expression], name: &str) -> Option<Signs> {
    let (text, behaviour) = match &act.what {
        What::Command(args) => (args.join(" "), Behaviour::UtilityExec),
        What::Script(text) => (text.clone(), Behaviour::ScriptQuery),
        What::Call(operation) => (operation.clone(), Behaviour::ApiQuery),
        What::Seen(_) | What::Beside(_) => return None,
    };
    let matched = list.iter().find_map(|one| one.find(&text))?;
    Some(Signs {
        behaviours: vec![behaviour],
        matched: matched.to_owned(),
        severity: Severity::Info,
        reasons: vec![format!("`{matched}` fits {name}")],
    })
}

/// A program of the list, or the name of a list of `/proc/net` among the arguments.
fn utility(act: &Act, elements: &Linux) -> Option<Signs> {
    let What::Command(args) = &act.what else {
        return None;
    };
    let exe = act.actor.exe.as_deref().map(|exe| name_of(exe).to_owned());
    let programs = command::programs(args).into_iter().chain(exe);
    let mut signs = Signs {
        behaviours: Vec::new(),
        matched: String::new(),
        severity: Severity::Info,
        reasons: Vec::new(),
    };
    let names = &elements.utility_name_list;
    if let Some(name) = programs.into_iter().find(|name| names.fit(name)) {
        signs.behaviours.push(Behaviour::UtilityExec);
        signs.reasons.push(format!("{name} is in UtilityNameList"));
        let destroys = |arg: &String| arg == "--kill" || is_flag(arg, 'K');
        if name == "ss" && args.iter().any(destroys) {
            signs.behaviours.push(Behaviour::SockDestroy);
            signs.matters(Severity::Medium, "it ends connections of others".to_owned());
        }
        signs.matched = name;
    }
    if signs.behaviours.is_empty()
        && let Some(matched) = pattern(args, &elements.command_pattern_list)
    {
        signs.behaviours.push(Behaviour::UtilityExec);
        signs.reasons.push(fits_pattern(&matched));
        signs.matched = matched;
    }
    if let Some(list) = args.iter().find_map(|arg| list_of_proc(arg)) {
        signs.behaviours.push(Behaviour::ProcNetRead);
        signs.reasons.push(format!("{list} lists connections"));
        if signs.matched.is_empty() {
            list.clone_into(&mut signs.matched);
        }
    }
    (!signs.behaviours.is_empty()).then_some(signs)
}

/// What of a command line fits one of these.
pub fn pattern(args: &[String], list: &[Expression]) -> Option<String> {
    if list.is_empty() {
        return None;
    }
    let line = args.join(" ");
    let matched = list.iter().find_map(|one| one.find(&line));
    matched.map(str::to_owned)
}

/// That it does, in a sentence.
pub fn fits_pattern(matched: &str) -> String {
    format!("`{matched}` fits CommandPatternList")
}

/// Whether an argument has a flag of one letter.
fn is_flag(arg: &str, letter: char) -> bool {
    arg.starts_with('-') && !arg.starts_with("--") && arg.contains(letter)
}

/// The list of connections of `/proc` that is named in an argument.
fn list_of_proc(arg: &str) -> Option<&str> {
    const LISTS: [&str; 11] = [
        "tcp",
        "tcp6",
        "udp",
        "udp6",
        "udplite",
        "udplite6",
        "raw",
        "raw6",
        "unix",
        "packet",
        "nf_conntrack",
    ];
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || "/_.-{},*".contains(c));
    let paths = arg.split(is_end).filter(|word| word.starts_with("/proc/"));
    paths.into_iter().find(|path| {
        let names = path.split_once("/net/").map_or("", |(_, names)| names);
        let mut each = names.split(['{', '}', ',']).filter(|name| !name.is_empty());
        each.any(|name| LISTS.contains(&name) || name.starts_with("tcp") || name.starts_with("udp"))
    })
}

fn suspicious_parent(act: &Act, list: &Globs, signs: &mut Signs) {
    let parent = act.actor.parent.as_ref();
    let exe = parent.and_then(|parent| parent.exe.as_deref());
    // There may be a shell between.
    let above = match &act.what {
        What::Seen(sights) => sights.ancestors.as_slice(),
        _ => &[],
    };
    let above = above.iter().filter_map(|(_, exe)| exe.as_deref());
    let mut names = exe.into_iter().chain(above).map(name_of);
    if let Some(name) = names.find(|name| list.fit(name)) {
        signs.matters(
            Severity::High,
            format!("started by {name}, which is in SuspiciousParentProcesses"),
        );
    }
}

/// Whether it is ordinary work of who did it. A log names no image; what is in memory only may call itself
/// anything.
fn is_allowed(act: &Act, list: &[Allowed]) -> bool {
    let actor = &act.actor;
    let (image, is_hidden) = match &act.what {
        What::Seen(sights) => (sights.image.as_deref(), sights.flags.is_memfd),
        _ => (None, false),
    };
    let exe = actor.exe.as_deref().filter(|_| !is_hidden);
    let user = actor.user.as_deref();
    list.iter()
        .any(|allowed| allowed.fits(exe, user, actor.uid, image))
}

/// Whether the account that logged in, or where none did the user, is an administrator's.
pub fn is_administrator(act: &Act, scope: &UserContextScope) -> bool {
    let actor = &act.actor;
    let number = actor.auid.or(actor.uid).map(|id| id.to_string());
    let known = [number.as_deref(), actor.user.as_deref()];
    let mut known = known.into_iter().flatten();
    known.any(|known| scope.administrators.iter().any(|one| one == known))
}

/// Whether the user is a service's. Who logged in is none.
fn is_service(act: &Act, scope: &UserContextScope) -> bool {
    let actor = &act.actor;
    let uid = actor
        .uid
        .filter(|_| has_numbers(act.analytic) && actor.auid.is_none());
    uid.is_some_and(|uid| scope.service_uids().contains(&uid))
}
