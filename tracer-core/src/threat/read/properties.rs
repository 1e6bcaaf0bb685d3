//! What holds of any file.

use proptest::prelude::*;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/threat/", $name)).as_slice()
    };
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read("f", &bytes);
        let _ = read_allowed("f", &bytes);
    }

    #[test]
    fn no_text_like_a_feed_makes_it_panic(
        text in "([0-9.:/\\[\\]{}()\",;#'\n\t-]|ip|port|=|AND|OR|IN|value|type|\\*|hxxp://|xn--|é){0,60}",
    ) {
        let _ = read("f", text.as_bytes());
        let _ = read("f", format!("ip,port,type\n{text}").as_bytes());
        let _ = pattern::read(&text);
        let _ = pattern::read(&format!("[ipv4-addr:value = '{text}"));
    }

    #[test]
    fn a_cut_or_changed_file_never_makes_it_panic(which in 0_usize..4, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let files = [fixture!("stix.json"), fixture!("misp.json"), fixture!("threatfox.csv"), fixture!("list.txt")];
        let mut bytes = files[which].to_vec();
        let at = at.index(bytes.len());
        let _ = read("f", &bytes[..at]);
        bytes[at] = byte;
        let _ = read("f", &bytes);
    }

    #[test]
    fn a_written_indicator_is_read_as_itself(ip in any::<std::net::IpAddr>(), len in 1_u8..=32, port in 1_u16..) {
        let network = ipnet::IpNet::new(ip.to_canonical(), len).unwrap().trunc();
        let socket = std::net::SocketAddr::new(ip.to_canonical(), port);
        let feed = read("f", format!("{network}\n{socket}").as_bytes()).unwrap();
        prop_assert_eq!(feed.indicators.len(), 2);
        for indicator in &feed.indicators {
            let again = read("f", indicator.text().as_bytes()).unwrap();
            prop_assert_eq!(&again.indicators[0], indicator);
        }
    }
}
