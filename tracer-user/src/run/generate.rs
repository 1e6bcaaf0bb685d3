//! `conntracer completions` and `conntracer man`: made of the command line itself, so that they say what it
//! takes.

use clap::{Args as _, Command, CommandFactory as _};
use clap_mangen::Man;

use super::Ending;
use crate::{
    cli::{Cli, CompletionsArgs, ManArgs, TraceArgs, UsageError},
    output::stdout,
};

/// What is typed.
const NAME: &str = "conntracer";

/// Writes the completions for a shell.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Ending> {
    let root = Cli::command();
    // A hidden command would be offered all the same.
    let mut shown = TraceArgs::augment_args(Command::new(NAME))
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(visible(&root).cloned());
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut shown, NAME, &mut script);
    stdout::put(&script)?;
    Ok(Ending::Done)
}

/// Writes a manual page.
pub fn man(args: &ManArgs) -> anyhow::Result<Ending> {
    stdout::put(&page(args.command.as_deref())?)?;
    Ok(Ending::Done)
}

/// The page of a command, or of all.
fn page(of: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut root = Cli::command().disable_help_subcommand(true);
    // What the pages are called, and what is typed, is known once it is built.
    root.build();
    let command = match of {
        None => &root,
        Some(name) => visible(&root)
            .find(|command| command.get_name() == name)
            .ok_or_else(|| {
                let names: Vec<&str> = visible(&root).map(Command::get_name).collect();
                UsageError(format!("`{name}` is none of {}", names.join(", ")))
            })?,
    };
    let mut page = Vec::new();
    // A page leaves out the help of flags that `-h` leaves out.
    let whole = command.clone().mut_args(|arg| arg.hide_short_help(false));
    Man::new(whole).render(&mut page)?;
    Ok(page)
}

/// The commands that somebody may want to type.
fn visible(root: &Command) -> impl Iterator<Item = &Command> {
    root.get_subcommands()
        .filter(|command| !command.is_hide_set())
}
