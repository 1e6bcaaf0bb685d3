//! Commands as devices account for them.

use crate::discovery::read;

/// How many commands of one line are taken.
const COMMANDS_MAX: usize = 64;

/// The commands of a line, each as its words. NX-OS puts the modes that a command was typed in before it,
/// with semicolons between them; they are commands too.
pub fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.trim();
    let line = line
        .strip_prefix('"')
        .and_then(|line| line.strip_suffix('"'))
        .unwrap_or(line);
    let commands = without_result(line).split(" ; ").take(COMMANDS_MAX);
    commands
        .map(|command| words(command.trim()))
        .filter(|words| !words.is_empty())
        .collect()
}

/// The words of one command, without what stands for the key that ended it.
pub fn words(command: &str) -> Vec<String> {
    let mut keys = ["<cr>", "<CR>"].into_iter();
    let ended = keys.find_map(|key| command.strip_suffix(key));
    let command = ended.unwrap_or(command);
    read::words(command)
}

/// Without what NX-OS says of how it ended: `(SUCCESS)`.
fn without_result(line: &str) -> &str {
    let Some((command, end)) = line.rsplit_once(" (") else {
        return line;
    };
    let is_result = end.strip_suffix(')').is_some_and(|result| {
        !result.is_empty() && result.bytes().all(|byte| byte.is_ascii_uppercase())
    });
    if is_result { command } else { line }
}

/// What a log says, where it says something.
pub fn said(text: &str) -> Option<String> {
    let text = text.trim();
    let is_said = !text.is_empty() && !text.eq_ignore_ascii_case("unknown");
    is_said.then(|| text.to_owned())
}

/// The terminal that a device names, and through what the command came.
pub fn line(port: &str) -> (Option<String>, Option<String>) {
    let port = port.trim();
    if port.eq_ignore_ascii_case("ssh") {
        (None, Some("ssh".to_owned()))
    } else if port.starts_with("con") || port.starts_with("ttyS") {
        (said(port), Some("console".to_owned()))
    } else {
        (said(port), said(port))
    }
}

/// What NX-OS calls a session: an address and a terminal, or only a terminal. From where, and the terminal.
pub fn session(id: &str) -> (Option<String>, &str) {
    match id.split_once('@') {
        Some((from, tty)) => (said(from), tty),
        None => (None, id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_command_or_several() {
        for (line, expected) in [
            ("show tcp brief <cr>", "show tcp brief"),
            ("\"show ip  sockets\"", "show ip sockets"),
            ("show tcp (SUCCESS)", "show tcp"),
            ("description uplink (old)", "description uplink (old)"),
            (
                "configure terminal ; interface Ethernet1/1 ; shutdown (FAILURE)",
                "configure terminal|interface Ethernet1/1|shutdown",
            ),
            (" <cr>", ""),
            ("", ""),
        ] {
            let found: Vec<String> = commands(line).iter().map(|words| words.join(" ")).collect();
            assert_eq!(found.join("|"), expected, "{line}");
        }
        assert_eq!(commands(&"x ; ".repeat(1000)).len(), COMMANDS_MAX);
    }
}
