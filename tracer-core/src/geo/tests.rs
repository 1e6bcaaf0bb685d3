use std::path::Path;

use proptest::prelude::*;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/mmdb");
    std::fs::read(directory.join(name)).unwrap()
}

fn of(all: Vec<Vec<u8>>) -> Databases {
    let read = |bytes| Arc::new(Database::read(bytes).unwrap());
    Databases(all.into_iter().map(read).collect())
}

fn place(databases: &Databases, ip: &str) -> Place {
    databases.place(ip.parse().unwrap(), Scope::External)
}

/// A value of a database.
enum Value<'a> {
    Text(&'a str),
    Number(u32),
    Short(u16),
    Long(u64),
    Nothing,
    Yes,
    Map(&'a [(&'a str, Value<'a>)]),
}

/// As the format writes it.
fn written(value: &Value<'_>, out: &mut Vec<u8>) {
    // Of types above 7 the first byte has only the length.
    let control = |kind: u8, len: usize, out: &mut Vec<u8>| {
        let len = u8::try_from(len).unwrap();
        assert!(len < 29);
        out.push(if kind > 7 { len } else { kind << 5 | len });
        if kind > 7 {
            out.push(kind - 7);
        }
    };
    match value {
        Value::Text(text) => {
            control(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Number(number) => {
            control(6, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Short(number) => {
            control(5, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Long(number) => {
            control(9, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Nothing => control(11, 0, out),
        Value::Yes => control(14, 1, out),
        Value::Map(pairs) => {
            control(7, pairs.len(), out);
            for (key, value) in *pairs {
                written(&Value::Text(key), out);
                written(value, out);
            }
        }
    }
}

/// A database of IPv4 that says one thing of 0.0.0.0/1, and nothing of all else.
fn database(says: &Value<'_>) -> Vec<u8> {
    // One node of two records of 24 bits: the first leads to the data, the second nowhere.
    let mut out = vec![0, 0, 1 + 16, 0, 0, 1];
    out.extend_from_slice(&[0; 16]);
    written(says, &mut out);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(&[
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_700_000_000)),
        ("database_type", Value::Text("made")),
        ("description", Value::Map(&[])),
        ("ip_version", Value::Short(4)),
        ("languages", Value::Nothing),
        ("node_count", Value::Number(1)),
        ("record_size", Value::Short(24)),
    ]);
    written(&metadata, &mut out);
    out
}

#[test]
fn the_first_database_that_says_something_is_believed() {
    let all = of(vec![
        fixture("GeoLite2-City-Test.mmdb"),
        fixture("GeoLite2-ASN-Test.mmdb"),
    ]);
    let found = place(&all, "::ffff:89.160.20.112");
    let geo = found.geo.unwrap();
    assert_eq!(geo.country.as_deref(), Some("SE"));
    assert_eq!(geo.registered_country.as_deref(), Some("DE"));
    assert_eq!(geo.city.as_deref(), Some("Linköping"));
    assert_eq!(found.network.unwrap().number, 29518);
    let london = place(&all, "81.2.69.142").geo.unwrap();
    assert_eq!(
        (london.country.as_deref(), london.city.as_deref()),
        (Some("GB"), Some("London"))
    );
    let internal = all.0[0].clone();
    let internal = Databases(vec![internal]);
    let near = internal.place("81.2.69.142".parse().unwrap(), Scope::Internal);
    assert_eq!(near, Place::default());
}

#[test]
fn flat_layouts_are_read_too() {
    let flat = database(&Value::Map(&[
        ("country", Value::Text("Germany")),
        ("country_code", Value::Text("de")),
        ("continent_code", Value::Text("EU")),
        ("asn", Value::Text("AS15169")),
        ("as_name", Value::Text("Example")),
        ("as_domain", Value::Text("example.com")),
    ]));
    let all = of(vec![flat]);
    let found = place(&all, "9.9.9.9");
    assert_eq!(found.geo.unwrap().country.as_deref(), Some("DE"));
    let network = found.network.unwrap();
    assert_eq!(
        (network.number, network.organization.as_deref()),
        (15169, Some("Example"))
    );
    assert_eq!(place(&all, "200.9.9.9"), Place::default());
    // A database of IPv4 knows nothing of IPv6.
    assert_eq!(place(&all, "2001:db8::1"), Place::default());
    let number = database(&Value::Map(&[("asn", Value::Short(64500))]));
    assert_eq!(
        place(&of(vec![number]), "9.9.9.9").network.unwrap().number,
        64500
    );
    let code = database(&Value::Map(&[("country", Value::Text("US"))]));
    let found = place(&of(vec![code]), "9.9.9.9").geo.unwrap();
    assert_eq!(found.country.as_deref(), Some("US"));
}

#[test]
fn what_an_address_hides_behind() {
    let anonymous = database(&Value::Map(&[
        ("is_anonymous", Value::Yes),
        ("is_tor_exit_node", Value::Yes),
        ("is_hosting_provider", Value::Yes),
    ]));
    let found = place(&of(vec![anonymous]), "9.9.9.9").geo.unwrap();
    let words: Vec<&str> = found.anonymous.iter().map(|word| &**word).collect();
    assert_eq!(words, ["tor", "hosting"]);
}

#[test]
fn a_database_that_is_cut_off_is_none() {
    let whole = fixture("GeoLite2-ASN-Test.mmdb");
    let error = Database::read(whole[..whole.len() / 2].to_vec()).unwrap_err();
    assert!(error.0.starts_with("no MMDB database"), "{}", error.0);
    assert!(Database::read(Vec::new()).is_err());
    assert_eq!(Database::read(whole).unwrap().kind(), "GeoLite2-ASN");
}

proptest! {
    #[test]
    fn a_broken_database_is_refused_or_says_something(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        ip in any::<[u8; 4]>(),
    ) {
        let mut bytes = fixture("GeoLite2-City-Test.mmdb");
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(database) = Database::read(bytes) {
            for ip in [IpAddr::from(ip), [89, 160, 20, 112].into()] {
                let _ = database.place(ip);
            }
        }
    }

    #[test]
    fn bytes_are_hardly_a_database(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(database) = Database::read(bytes) {
            let _ = database.place([9, 9, 9, 9].into());
        }
    }
}
