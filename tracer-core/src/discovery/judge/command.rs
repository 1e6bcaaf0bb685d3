//! Which programs a command of a Unix runs: what was typed or executed may be a wrapper, an applet, or a
//! shell with the commands in an argument.

use crate::discovery::finding::name_of;

/// Programs that run the one that follows, their flags of one letter that a value follows, and how many
/// words stand before the other program.
const WRAPPERS: [(&str, &str, usize); 16] = [
    ("sudo", "ugUpChrtDTR", 0),
    ("doas", "uC", 0),
    ("env", "uC", 0),
    ("nice", "n", 0),
    ("nohup", "", 0),
    ("timeout", "sk", 1),
    ("time", "fo", 0),
    ("watch", "n", 0),
    ("nsenter", "tSG", 0),
    ("chroot", "", 1),
    ("setsid", "", 0),
    ("stdbuf", "ioe", 0),
    ("xargs", "IdnPsaLE", 0),
    ("strace", "eopsSaEuPO", 0),
    ("exec", "a", 0),
    ("command", "", 0),
];
/// Programs that are many.
const BOXES: [&str; 2] = ["busybox", "toybox"];
/// Programs that run the commands of the argument behind `-c`.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "su"];
/// What comes between commands of a shell.
const BETWEEN: [char; 9] = [';', '|', '&', '(', ')', '{', '}', '`', '\n'];
/// Shells within shells are not followed any deeper.
const DEPTH_MAX: usize = 3;

/// Programs that run a script beside the shells; what follows may be a version.
const INTERPRETERS: [&str; 6] = ["python", "perl", "ruby", "node", "php", "lua"];

/// What a process itself is called, of which the kernel has shown that it was executed: the program, the applet
/// of one that is many, or the script of an interpreter. What it starts is shown, too, and by itself.
pub fn names(exe: &str, args: &[String]) -> Vec<String> {
    let first = args.first().map_or("", String::as_str);
    let name = name_of(first).trim_start_matches('-');
    let mut names = vec![name_of(exe).to_owned(), name.to_owned()];
    let behind = args.get(1..).unwrap_or_default();
    if BOXES.contains(&name_of(exe)) {
        names.extend(behind.first().cloned());
    }
    let is_interpreter =
        |name: &str| SHELLS.contains(&name) || INTERPRETERS.iter().any(|one| name.starts_with(one));
    if is_interpreter(name_of(exe)) || is_interpreter(name) {
        let script = behind.iter().find(|arg| !arg.starts_with('-'));
        names.extend(script.map(|path| stem(name_of(path)).to_owned()));
    }
    names
}

/// The name of a script without what it is a script of.
fn stem(name: &str) -> &str {
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

/// The names of the programs, and of the applets.
pub fn programs(args: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    follow(args, DEPTH_MAX, &mut names);
    names
}

fn follow(args: &[String], depth: usize, names: &mut Vec<String>) {
    let mut rest = args;
    while let Some((word, behind)) = first(rest) {
        let name = name_of(word).trim_start_matches('-');
        names.push(name.to_owned());
        if SHELLS.contains(&name) && depth > 0 {
            if let Some(script) = script_of(behind) {
                follow_script(script, depth - 1, names);
            }
            return;
        }
        rest = if let Some((_, flags, words)) = WRAPPERS.iter().find(|(one, ..)| *one == name) {
            wrapped(behind, flags, *words)
        } else if BOXES.contains(&name) {
            behind
        } else {
            return;
        };
    }
}

/// The first word that is something, and those behind it.
fn first(args: &[String]) -> Option<(&str, &[String])> {
    let at = args
        .iter()
        .position(|word| !word.is_empty() && !is_variable(word))?;
    let (before, behind) = args.split_at(at + 1);
    Some((before.last()?, behind))
}

/// What follows the flags of a wrapper and their values, and so many words more.
fn wrapped<'a>(args: &'a [String], flags: &str, mut words: usize) -> &'a [String] {
    let mut rest = args;
    while let Some((word, behind)) = rest.split_first() {
        if let Some(flag) = word.strip_prefix('-') {
            let has_value = flag.len() == 1 && flags.contains(flag);
            rest = behind.get(usize::from(has_value)..).unwrap_or_default();
        } else if is_variable(word) {
            rest = behind;
        } else if words > 0 {
            words -= 1;
            rest = behind;
        } else {
            break;
        }
    }
    rest
}

/// A setting of the environment.
fn is_variable(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// What stands behind `-c`, which may be one of several flags in a word.
fn script_of(args: &[String]) -> Option<&str> {
    let is_command =
        |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let at = args.iter().position(is_command)?;
    args.get(at + 1).map(String::as_str)
}

fn follow_script(script: &str, depth: usize, names: &mut Vec<String>) {
    for command in script.split(BETWEEN) {
        let words: Vec<String> = command
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'', '$']).to_owned())
            .filter(|word| !word.is_empty())
            .collect();
        follow(&words, depth, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        programs(&args).join(" ")
    }

    #[test]
    fn wrappers_applets_and_shells_are_seen_through() {
        assert_eq!(of(&["/usr/bin/ss", "-tanp"]), "ss");
        assert_eq!(of(&["cat", "ss"]), "cat");
        assert_eq!(
            of(&["LANG=C", "sudo", "-u", "root", "-n", "LANG=C", "netstat"]),
            "sudo netstat"
        );
        assert_eq!(of(&["nsenter", "-t", "1", "-n", "ss"]), "nsenter ss");
        assert_eq!(of(&["chroot", "/mnt", "ss"]), "chroot ss");
        assert_eq!(of(&["ls", "ss"]), "ls");
        assert_eq!(of(&["watch", "-n", "1", "ss"]), "watch ss");
        assert_eq!(of(&["timeout", "5s", "lsof", "-i"]), "timeout lsof");
        assert_eq!(of(&["busybox", "netstat", "-t"]), "busybox netstat");
        assert_eq!(
            of(&[
                "bash",
                "-lc",
                "cd /tmp && (ss -tan | grep x); echo `netstat`"
            ]),
            "bash cd ss grep echo netstat"
        );
        assert_eq!(of(&["sh", "run.sh"]), "sh");
        assert_eq!(of(&["-bash"]), "bash");
    }

    #[test]
    fn nothing_that_is_typed_takes_long() {
        let deep = "sh -c ".repeat(10_000);
        assert!(of(&["sh", "-c", &deep]).len() < 100_000);
        assert_eq!(of(&[]), "");
        assert_eq!(of(&["", "ss"]), "ss");
    }
}
