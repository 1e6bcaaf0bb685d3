//! Names of fields. They are compared without case, dots, spaces and underscores: `SrcIP`, `srcIp` and
//! `Src IP` are one. First those of Deep Visibility, then those of the Singularity Data Lake.

/// The names of a field.
pub type Names = &'static [&'static str];

pub const TIME: Names = &["eventtime", "createdat", "timestamp"];
pub const KIND: Names = &["eventtype"];
pub const SOURCE_IP: Names = &["srcip", "srcipaddress"];
pub const SOURCE_PORT: Names = &["srcport", "srcportnumber"];
pub const DESTINATION_IP: Names = &["dstip", "dstipaddress"];
pub const DESTINATION_PORT: Names = &["dstport", "dstportnumber"];
pub const DIRECTION: Names = &["neteventdirection", "eventnetworkdirection", "direction"];
pub const STATUS: Names = &[
    "netconnstatus",
    "eventnetworkconnectionstatus",
    "connectionstatus",
];
pub const SPOKEN: Names = &["netprotocolname", "eventnetworkprotocolname"];
/// What the agent calls the event: `TCPV4`.
pub const OF_AGENT: Names = &["metaeventname"];
pub const USER: Names = &["srcprocuser", "srcprocessuser", "user"];
pub const ENDPOINT: Names = &["endpointname", "agentname"];

/// Names that no other log has beside one of an address or of the kind of event.
const OWN: [&str; 10] = [
    "agentuuid",
    "endpointname",
    "eventnetworkconnectionstatus",
    "eventnetworkdirection",
    "netconnstatus",
    "neteventdirection",
    "srcprocname",
    "srcprocstorylineid",
    "srcprocessname",
    "srcprocessstorylineid",
];

/// What is compared of a name.
pub fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Whether names are those of such events.
pub fn are_of_sentinelone(has: impl Fn(&str) -> bool) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| has(name));
    any(&OWN) && (any(KIND) || any(SOURCE_IP) || any(DESTINATION_IP))
}
