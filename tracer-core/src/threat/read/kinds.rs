//! Types of values, as MISP, `ThreatFox` and others name them
//! (<https://www.circl.lu/doc/misp/categories-and-types/>).

use super::super::{
    feed::{About, Gathering, Kind, Place},
    value,
};

/// Why an attribute of MISP is left out.
pub const NOT_FOR_DETECTION: &str = "not for detection (to_ids)";

/// What a value of a type is.
enum Form {
    One(Kind),
    /// A port behind `|`.
    WithPort(Kind),
    /// A name and an address that it had, `|` between them.
    DomainAndAddress,
}

fn form(kind: &str) -> Option<Form> {
    Some(match kind {
        "ip" | "ipv4" | "ipv6" | "ip:port" | "ip_port" | "cidr" | "ip-dst" | "ip-src"
        | "ipv4-addr" | "ipv6-addr" | "address" => Form::One(Kind::Address),
        "domain" | "hostname" | "host" | "fqdn" | "domain-name" => Form::One(Kind::Domain),
        "ip-dst|port" | "ip-src|port" => Form::WithPort(Kind::Address),
        "hostname|port" => Form::WithPort(Kind::Domain),
        "domain|ip" => Form::DomainAndAddress,
        _ => return None,
    })
}

/// Takes a value of a type; types that are neither addresses nor names are counted.
pub fn take(gathering: &mut Gathering, place: Place, kind: &str, value: &str, about: &About<'_>) {
    let Some(form) = form(&kind.to_ascii_lowercase()) else {
        return gathering.skip(&format!("type {kind}"));
    };
    match (form, value.split_once('|')) {
        (Form::One(kind), _) => gathering.take(place, value, &About { kind, ..*about }),
        (Form::WithPort(kind), Some((host, port))) => match value::port(port.trim()) {
            Ok(port) => {
                let port = Some(port);
                gathering.take(
                    place,
                    host,
                    &About {
                        kind,
                        port,
                        ..*about
                    },
                );
            }
            // Without it, the indicator would mean more than the attribute says.
            Err(why) => gathering.problem(place, || why),
        },
        (Form::DomainAndAddress, Some((name, address))) => {
            for (kind, text) in [(Kind::Domain, name), (Kind::Address, address)] {
                gathering.take(place, text, &About { kind, ..*about });
            }
        }
        (_, None) => gathering.problem(place, || format!("no `|` in a value of type {kind}")),
    }
}

/// A flag, as CSV and older exports write it, too.
pub fn is_true(text: &str) -> bool {
    text == "1" || text.eq_ignore_ascii_case("true")
}
