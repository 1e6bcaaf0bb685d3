//! Readers of logs whose lines tell flows.

mod around;
mod asa;
mod aws;
mod azure;
mod conntrack;
mod gcp;
mod kind;
mod nfdump;
mod own;
mod panos;
mod sentinelone;
mod suricata;
mod table;
mod value;
mod zeek;

pub use self::{
    around::{Around, Now},
    kind::Kind,
};

#[cfg(test)]
mod tests {
    use crate::{
        flows::Flow,
        logs::{Origin, Reader},
    };

    /// What a reader makes of a text, and why it cannot read what it cannot.
    pub fn flows(mut reader: impl Reader<Flow>, text: &str) -> (Vec<Flow>, Vec<String>) {
        let (mut told, mut why) = (Vec::new(), Vec::new());
        for (line, at) in text.lines().zip(1..) {
            let origin = Origin {
                file: "log".into(),
                line: at,
            };
            let result = reader.line(line, &origin, &mut told);
            why.extend(result.err().map(|error| error.0));
        }
        why.extend(reader.end(&mut told).err().map(|error| error.0));
        (told, why)
    }

    /// The only flow in a text that can be read.
    pub fn only(reader: impl Reader<Flow>, text: &str) -> Flow {
        let (mut told, why) = flows(reader, text);
        assert_eq!((told.len(), why.as_slice()), (1, &[][..]), "{told:?}");
        told.remove(0)
    }
}
