//! A value as feeds write it: an address, a network, a range, a name, a URL, with a port or without, and
//! defanged or not.

use std::{net::IpAddr, sync::Arc};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

use super::indicator::What;

/// How much a value may take: more than any URL that works.
const MOST_BYTES: usize = 4096;
/// What feeds write in place of a dot, so that nobody follows it by mistake.
const DOTS: [&str; 9] = [
    "[.]", "(.)", "{.}", "[dot]", "(dot)", "{dot}", "[DOT]", "(DOT)", "{DOT}",
];

/// What a value says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The addresses, or the name; of a range several networks.
    pub whats: Vec<What>,
    /// The port behind it.
    pub port: Option<u16>,
    /// The value no longer defanged, where it says more than `whats` and `port`.
    pub written: Option<String>,
    /// It is a URL, of which only the host is asked for.
    pub is_url: bool,
}

impl Value {
    fn of(what: What, port: Option<u16>) -> Self {
        Self {
            whats: vec![what],
            port,
            written: None,
            is_url: false,
        }
    }
}

/// Reads a value.
pub fn read(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("nothing is written".into());
    }
    if text.len() > MOST_BYTES {
        return Err(format!("longer than {MOST_BYTES} bytes"));
    }
    let text = refanged(text);
    if let Some((scheme, rest)) = text.split_once("://") {
        return url(scheme, rest);
    }
    if let Some((address, len)) = text.split_once('/') {
        return network(&text, address, len);
    }
    if let Some(found) = range(&text) {
        return found;
    }
    host(&text)
}

/// Without what keeps it from being followed.
fn refanged(text: &str) -> String {
    let mut text = text.to_owned();
    if text.contains(['[', '(', '{']) {
        text = DOTS
            .iter()
            .fold(text, |text, dot| text.replace(dot, "."))
            .replace("[:]", ":")
            .replace("[://]", "://");
    }
    match text.get(..4) {
        Some(hxxp) if hxxp.eq_ignore_ascii_case("hxxp") => {
            format!("http{}", text.get(4..).unwrap_or_default())
        }
        _ => text,
    }
}

/// The host of a URL. That is more than the URL says, so the whole of it is told with a hit.
fn url(scheme: &str, rest: &str) -> Result<Value, String> {
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("not a URL".into());
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    let at = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    Ok(Value {
        written: Some(format!("{scheme}://{rest}")),
        is_url: true,
        ..host(at.strip_suffix(':').unwrap_or(at))?
    })
}

/// An address or a name, perhaps with a port.
fn host(text: &str) -> Result<Value, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Value::of(What::Network(ip.to_canonical().into()), None));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or("a bracket is not closed")?;
        let Ok(IpAddr::V6(ip)) = address.parse() else {
            return Err("no IPv6 address in brackets".into());
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(self::port(digits)?),
            None if port.is_empty() => None,
            None => return Err("something else than a port behind the bracket".into()),
        };
        let what = What::Network(IpAddr::V6(ip).to_canonical().into());
        return Ok(Value::of(what, port));
    }
    match text.split_once(':') {
        Some((name, digits)) => {
            let port = port(digits)?;
            Ok(Value {
                port: Some(port),
                ..bare(name)?
            })
        }
        None => bare(text),
    }
}

/// An IPv4 address or a name.
fn bare(text: &str) -> Result<Value, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Value::of(What::Network(ip.to_canonical().into()), None));
    }
    if text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.')) {
        return Err(numbers(text).into());
    }
    Ok(Value::of(domain(text)?, None))
}

/// Why numbers and dots are no address.
fn numbers(text: &str) -> &'static str {
    let is_padded = |octet: &str| octet.len() > 1 && octet.starts_with('0');
    if text.split('.').any(is_padded) {
        // Some programs read `010` as eight, others as ten.
        "a number that begins with 0 is ambiguous"
    } else {
        "not an address"
    }
}

/// A port that is written.
pub fn port(digits: &str) -> Result<u16, String> {
    match number::<u16>(digits) {
        Some(port) if port > 0 => Ok(port),
        _ => Err("not a port".into()),
    }
}

/// Only digits: Rust's own reading takes a sign, too.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

fn network(text: &str, address: &str, len: &str) -> Result<Value, String> {
    let Ok(ip) = address.trim().parse::<IpAddr>() else {
        let why = if address.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            "a path without `http://` before it"
        } else {
            numbers(address)
        };
        return Err(why.into());
    };
    let len: u8 = number(len.trim()).ok_or("not a length of a network")?;
    let found = canonical(ip, len).ok_or("longer than an address")?;
    let given = text.to_ascii_lowercase();
    Ok(Value {
        // Host bits that are set are told, for that is how it is found in the file.
        written: (found.to_string() != given).then_some(given),
        ..Value::of(What::Network(limited(found)?), None)
    })
}

/// A network, of IPv4 where it is one in IPv6.
fn canonical(ip: IpAddr, len: u8) -> Option<IpNet> {
    if let (IpAddr::V6(v6), 96..=128) = (ip, len)
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        return Some(IpNet::V4(Ipv4Net::new(v4, len - 96).ok()?.trunc()));
    }
    Some(match ip {
        IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new(v4, len).ok()?.trunc()),
        IpAddr::V6(v6) => IpNet::V6(Ipv6Net::new(v6, len).ok()?.trunc()),
    })
}

/// A network that is not everything: one line of a feed must not make each connection a hit.
fn limited(network: IpNet) -> Result<IpNet, String> {
    if network.prefix_len() == 0 {
        return Err("every address there is".into());
    }
    Ok(network)
}

/// Two addresses with `-` between them; none if it is no such thing.
fn range(text: &str) -> Option<Result<Value, String>> {
    let (first, last) = text.split_once('-')?;
    let first: IpAddr = first.trim().parse().ok()?;
    let last: IpAddr = last.trim().parse().ok()?;
    Some(between(first.to_canonical(), last.to_canonical()))
}

fn between(first: IpAddr, last: IpAddr) -> Result<Value, String> {
    if first > last {
        return Err("the range ends before it begins".into());
    }
    let networks: Vec<IpNet> = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect()
        }
        _ => return Err("a range from IPv4 to IPv6".into()),
    };
    let networks = networks.into_iter().map(limited);
    let whats = networks.map(|network| network.map(What::Network));
    Ok(Value {
        whats: whats.collect::<Result<_, _>>()?,
        port: None,
        written: Some(format!("{first}-{last}")),
        is_url: false,
    })
}

/// A name with at least one dot in it. Names in Unicode are compared as they are written, in lower case:
/// no two ways of writing a name are taken for one.
fn domain(text: &str) -> Result<What, String> {
    let bare = text.strip_prefix('*').unwrap_or(text);
    let rest = bare.strip_prefix('.');
    if rest.is_none() && bare.len() != text.len() {
        return Err("`*` without a dot behind it".into());
    }
    let name = folded(rest.unwrap_or(bare));
    if !is_domain(&name) {
        return Err("neither an address nor a name".into());
    }
    Ok(What::Domain {
        name: Arc::from(name),
        below: rest.is_some(),
    })
}

/// A name in the form in which names are compared.
pub fn folded(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_lowercase()
}

fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.chars().count()) && label.chars().all(is_part)
    };
    let Some((_, top)) = name.rsplit_once('.') else {
        return false;
    };
    // No top-level domain is a number, so that broken addresses are not names.
    let begins = top.chars().next().is_some_and(char::is_alphabetic);
    begins && top.chars().count() > 1 && name.len() <= 253 && name.split('.').all(is_label)
}
