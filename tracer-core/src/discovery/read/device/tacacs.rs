//! Accounting by TACACS+, as `tac_plus` writes it into its file: fields with tabs between them.
//!
//! Format:
//! <https://documentation.extremenetworks.com/slxos/sw/20xx/20.2.1a/security/GUID-C18E1CB4-6150-439B-B303-69EDF6CCCD48.shtml>,
//! <https://support.hpe.com/techhub/eginfolib/Aruba/OS-CX_10.02/5200-5323/GUID-1E1BC6EB-D5AB-4608-9E97-2A8EB86B131D.html>

use super::{
    time::{self, When},
    words,
};

/// A record.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// When it came.
    pub when: When,
    /// The device that sent it.
    pub device: &'a str,
    /// Who did it.
    pub user: &'a str,
    /// The line of the device that he used.
    pub port: &'a str,
    /// Where he was.
    pub from: &'a str,
    /// Of which moment it is.
    pub moment: Moment,
    /// The command, empty in records of sessions.
    pub command: String,
    /// What names what was done, for records of the beginning and of the end of it.
    pub task: &'a str,
    /// Privilege level.
    pub privilege: Option<u8>,
}

/// Of which moment a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the command is carried out.
    Start,
    /// After it.
    Stop,
    /// Between.
    Update,
}

impl Moment {
    fn of(word: &str) -> Option<Self> {
        match word {
            "start" => Some(Self::Start),
            "stop" => Some(Self::Stop),
            "update" => Some(Self::Update),
            _ => None,
        }
    }
}

/// Reads a line. Nothing: it is not a record.
pub fn record(line: &str) -> Option<Record<'_>> {
    let mut fields = line.split('\t');
    let when = time::all_of(fields.next()?)?;
    let device = fields.next()?;
    let (user, port, from) = (fields.next()?, fields.next()?, fields.next()?);
    let mut record = Record {
        when,
        device,
        user,
        port,
        from,
        moment: Moment::of(fields.next()?)?,
        command: String::new(),
        task: "",
        privilege: None,
    };
    for (name, value) in fields.filter_map(|field| field.split_once('=')) {
        record.attribute(name.trim(), value);
    }
    Some(record)
}

impl<'a> Record<'a> {
    /// Devices differ in how they write the names of attributes.
    fn attribute(&mut self, name: &str, value: &'a str) {
        if name.eq_ignore_ascii_case("cmd") {
            value.clone_into(&mut self.command);
        } else if name.eq_ignore_ascii_case("cmd-arg") {
            self.command.push(' ');
            self.command.push_str(value);
        } else if name == "task_id" {
            self.task = value;
        } else if name == "priv-lvl" || name == "priv_lvl" {
            self.privilege = value.trim().parse().ok();
        }
    }

    /// What is the same in the records of one command.
    pub fn key(&self) -> (&str, &str, &str, &str) {
        (self.device, self.user, self.task, &self.command)
    }

    /// The commands, each as its words.
    pub fn commands(&self) -> Vec<Vec<String>> {
        words::commands(&self.command)
    }
}
