//! Packets of real exporters. Where they are from, `tests/fixtures/netflow/README.md` says.

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(
            "../../../../../tests/fixtures/netflow/",
            $name,
            ".dat"
        ))
        .as_slice()
    };
}

pub(super) const NETFLOW5: &[u8] = fixture!("netflow5");
pub(super) const JUNIPER: &[u8] = fixture!("netflow5_test_juniper_mx80");
pub(super) const MIKROTIK_5: &[u8] = fixture!("netflow5_test_microtik");
pub(super) const ASA_1: [&[u8]; 2] = [
    fixture!("netflow9_test_cisco_asa_1_tpl"),
    fixture!("netflow9_test_cisco_asa_1_data"),
];
pub(super) const ASA_2: [&[u8]; 3] = [
    fixture!("netflow9_test_cisco_asa_2_tpl_26x"),
    fixture!("netflow9_test_cisco_asa_2_tpl_27x"),
    fixture!("netflow9_test_cisco_asa_2_data"),
];
pub(super) const FORTIGATE: [&[u8]; 3] = [
    fixture!("netflow9_test_fortigate_fortios_521_tpl"),
    fixture!("netflow9_test_fortigate_fortios_521_data256"),
    fixture!("netflow9_test_fortigate_fortios_521_data257"),
];
pub(super) const HUAWEI: [&[u8]; 2] = [
    fixture!("netflow9_test_huawei_netstream_tpl"),
    fixture!("netflow9_test_huawei_netstream_data"),
];
pub(super) const MACADDR: [&[u8]; 2] = [
    fixture!("netflow9_test_macaddr_tpl"),
    fixture!("netflow9_test_macaddr_data"),
];
pub(super) const PALO_ALTO: [&[u8]; 2] = [
    fixture!("netflow9_test_paloalto_panos_tpl"),
    fixture!("netflow9_test_paloalto_panos_data"),
];
pub(super) const SOFTFLOWD: &[u8] = fixture!("netflow9_test_softflowd_tpl_data");
pub(super) const VALID: &[u8] = fixture!("netflow9_test_valid01");
pub(super) const IPFIX: &[u8] = fixture!("ipfix");
pub(super) const BARRACUDA: [&[u8]; 2] = [
    fixture!("ipfix_test_barracuda_tpl"),
    fixture!("ipfix_test_barracuda_data256"),
];
pub(super) const MIKROTIK: [&[u8]; 3] = [
    fixture!("ipfix_test_mikrotik_tpl"),
    fixture!("ipfix_test_mikrotik_data258"),
    fixture!("ipfix_test_mikrotik_data259"),
];
pub(super) const OPENBSD: [&[u8]; 2] = [
    fixture!("ipfix_test_openbsd_pflow_tpl"),
    fixture!("ipfix_test_openbsd_pflow_data"),
];
pub(super) const VMWARE: [&[u8]; 3] = [
    fixture!("ipfix_test_vmware_vds_tpl"),
    fixture!("ipfix_test_vmware_vds_data264"),
    fixture!("ipfix_test_vmware_vds_data266"),
];

/// All of them.
pub(super) const ALL: [&[&[u8]]; 16] = [
    &[NETFLOW5],
    &[JUNIPER],
    &[MIKROTIK_5],
    &ASA_1,
    &ASA_2,
    &FORTIGATE,
    &HUAWEI,
    &MACADDR,
    &PALO_ALTO,
    &[SOFTFLOWD],
    &[VALID],
    &[IPFIX],
    &BARRACUDA,
    &MIKROTIK,
    &OPENBSD,
    &VMWARE,
];

/// The messages of files.
pub(super) fn messages<'a>(files: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut messages = Vec::new();
    for mut rest in files.iter().copied() {
        while !rest.is_empty() {
            let (message, after) = rest.split_at(length(rest).unwrap());
            messages.push(message);
            rest = after;
        }
    }
    messages
}

/// What files tell, all of which can be read: how many flows, how much in all, the first and the last.
fn summary(files: &[&[u8]]) -> [String; 3] {
    let messages = messages(files);
    assert!(messages.iter().all(|message| recognises(message)));
    let (flows, problems) = taken(&messages);
    assert_eq!(problems, []);
    let sum = |amount: fn(&Flow) -> Option<u64>| flows.iter().filter_map(amount).sum::<u64>();
    let sums = [
        sum(|flow| flow.bytes.forward),
        sum(|flow| flow.bytes.reverse),
        sum(|flow| flow.bytes.total),
        sum(|flow| flow.packets.sum()),
    ];
    [
        format!("{} flows {sums:?}", flows.len()),
        told(flows.first().unwrap()),
        told(flows.last().unwrap()),
    ]
}

#[test]
fn version_5() {
    assert_eq!(
        summary(&[NETFLOW5]),
        [
            "30 flows [18684, 0, 0, 230]",
            // It began before the exporter's counter of milliseconds did.
            "2015-05-02T18:38:04.898328Z..2015-05-02T18:38:07.476328Z | 10.0.2.2 54435 | 10.0.2.15 22 | tcp | \
             230/-B | 5/-P | flags [ACK]",
            "2015-05-02T18:39:06.812533Z..2015-05-02T18:39:08.088533Z | 10.0.2.15 22 | 10.0.2.2 54435 | tcp | \
             580/-B | 7/-P | flags [PSH,ACK]",
        ]
    );
    assert_eq!(
        summary(&[JUNIPER]),
        [
            "29 flows [3989000, 0, 0, 31000]",
            "2016-07-21T13:52:34.936Z..2016-07-21T13:52:34.936Z | 10.0.0.1 443 | 192.168.0.2 61608 | tcp | \
             ~1500000/-B | ~1000/-P | flags [ACK] | ingress {interface:542} | egress {interface:536}",
            "2016-07-21T13:52:33.936Z..2016-07-21T13:52:33.936Z | 66.249.92.75 37387 | 192.168.0.1 80 | tcp | \
             ~104000/-B | ~2000/-P | flags [ACK] | ingress {interface:542} | egress {interface:536}",
        ]
    );
    assert_eq!(
        summary(&[MIKROTIK_5]),
        [
            "30 flows [40812, 0, 0, 160]",
            "2016-07-21T13:51:42.144932Z..2016-07-21T13:51:42.144932Z | 10.0.13.1 5228 | 192.168.0.98 52734 | \
             tcp | 104/-B | 2/-P | flags [ACK] | ingress {interface:13} | egress {interface:50}",
            "2016-07-21T13:51:42.254932Z..2016-07-21T13:51:42.254932Z | 10.0.8.1 80 | 192.168.0.1 51826 | tcp | \
             11442/-B | 13/-P | flags [SYN,ACK,ECE] | ingress {interface:13} | egress {interface:46}",
        ]
    );
}

#[test]
fn firewalls_of_cisco() {
    assert_eq!(
        summary(&ASA_1),
        [
            "14 flows [0, 0, 888, 0]",
            "2015-10-09T09:47:47.569Z..2015-10-09T09:47:49.599Z | 192.168.14.1 | 2.2.2.11 | icmp | =56B | -/-P | \
             icmp {code:0,type:0} | ingress {interface:3} | egress {interface:2} | action allowed | stage end | \
             reason 2025 | rule 0x0f8e7ff3, 0xfc1a030f | session 8500",
            "2015-10-09T09:47:49.479Z..2015-10-09T09:47:51.509Z | 164.164.37.11 | 192.168.23.20 | icmp | =56B | \
             -/-P | icmp {code:0,type:0} | ingress {interface:3} | egress {interface:2} | action allowed | \
             stage end | reason 2025 | rule 0x0f8e7ff3, 0xfc1a030f | session 8512",
        ]
    );
    assert_eq!(
        summary(&ASA_2),
        [
            "19 flows [1131, 129231, 0, 0]",
            "2016-07-21T13:50:32.955Z..2016-07-21T13:50:33.015Z | 192.168.0.2 61775 | 192.168.0.17 80 | tcp | \
             81/763B | -/-P | ingress {interface:3} | egress {interface:4} | action allowed | stage end | \
             reason 2030 | session 742819709",
            "2016-07-21T13:50:36.395Z..2016-07-21T13:50:36.495Z | 192.168.0.1 56651 | 192.168.0.18 80 | tcp | \
             69/14178B | -/-P | ingress {interface:3} | egress {interface:4} | action allowed | stage end | \
             reason 2030 | session 742820223",
        ]
    );
    for (files, initiator_known, format) in [
        (&ASA_1[..], true, Format::CiscoNsel),
        (&ASA_2, true, Format::CiscoNsel),
        (&PALO_ALTO, false, Format::Netflow9),
        (&BARRACUDA, false, Format::Ipfix),
    ] {
        let (flows, _) = taken(&messages(files));
        let is_so = |flow: &Flow| flow.format == format && flow.initiator_known == initiator_known;
        assert!(flows.iter().all(is_so));
    }
}

#[test]
fn firewalls_of_others() {
    // The flow's clock is not the header's, so that only its length tells. It counts both ways.
    assert_eq!(
        summary(&FORTIGATE)[..2],
        [
            "1 flows [152, 0, 0, 3]",
            "2017-07-18T05:41:50Z..2017-07-18T05:41:59Z | 192.168.99.7 61910 | 31.13.87.36 443 | tcp | \
             152/0B | 3/0P | ingress {interface:9} | egress {interface:3}",
        ]
    );
    assert_eq!(
        summary(&PALO_ALTO),
        [
            "8 flows [617, 0, 0, 8]",
            "2017-11-13T14:39:31Z..2017-11-13T14:39:31Z | 23.35.171.27 80 | 10.32.91.205 49519 | tcp | 70/-B | \
             1/-P | flags [SYN,ACK] | ingress {interface:23} | egress {interface:24} | action allowed | \
             stage start | session 421604 | application incomplete",
            "2017-11-13T14:39:31Z..2017-11-13T14:39:31Z | 10.130.167.43 62196 | 65.52.108.254 443 | tcp | 70/-B | \
             1/-P | flags [SYN] | ingress {interface:24} | egress {interface:23} | action allowed | stage start | \
             session 35036619 | application incomplete",
        ]
    );
    // Records that end a flow count all of it: the counters of what is new are zero for half of them.
    assert_eq!(
        summary(&BARRACUDA),
        [
            "8 flows [638, 0, 0, 8]",
            "2017-06-29T13:58:07.731Z..2017-06-29T13:58:28Z | 10.99.130.239 65105 | 10.99.252.50 53 | udp | 65/-B | \
             1/-P | ingress {interface:48660} | egress {interface:26092} | action allowed | stage end",
            "2017-06-29T13:58:07.632Z..2017-06-29T13:58:28Z | 10.98.243.20 53 | 10.99.168.140 50294 | udp | 113/-B | \
             1/-P | ingress {interface:41874} | egress {interface:48660} | action allowed | stage end",
        ]
    );
}

#[test]
fn routers_and_probes_of_version_9() {
    let huawei = summary(&HUAWEI);
    assert_eq!(
        huawei[..2],
        [
            "1 flows [200, 0, 0, 4]",
            "2018-01-29T02:56:51.94Z..2018-01-29T03:02:19Z | 10.108.219.53 45587 | 10.111.112.204 2598 | tcp | \
             200/-B | 4/-P | flags [PSH,ACK] | ingress {interface:8} | egress {interface:31}",
        ]
    );
    assert_eq!(
        summary(&MACADDR),
        [
            "29 flows [0, 0, 0, 0]",
            "2015-10-10T08:47:01Z.. | 172.16.32.1 65058 | 172.16.32.201 22 | tcp | -/-B | -/-P",
            "2015-10-10T08:47:01Z.. | 172.16.32.201 25 | 172.16.32.1 59169 | tcp | -/-B | -/-P",
        ]
    );
    let softflowd = summary(&[SOFTFLOWD]);
    assert_eq!(
        softflowd,
        [
            "7 flows [1128, 0, 0, 13]",
            "2015-10-08T19:03:46.14Z..2015-10-08T19:03:46.141Z | 172.16.32.100 123 | 172.16.32.248 123 | udp | \
             76/-B | 1/-P",
            "2015-10-08T19:03:47.819Z..2015-10-08T19:04:25.9Z | fe80::20c:29ff:fe83:3b6e | ff02::1 | ipv6-icmp | \
             672/-B | 7/-P | icmp {code:0,type:134}",
        ]
    );
    assert_eq!(summary(&[VALID]), softflowd);
}

#[test]
fn ipfix() {
    assert_eq!(
        summary(&[IPFIX]),
        [
            "12 flows [13279, 0, 0, 54]",
            "2015-05-13T11:20:13.506Z..2015-05-13T11:20:26.232Z | 192.168.253.1 60560 | 192.168.253.128 22 | tcp | \
             260/-B | 5/-P | flags [ACK]",
            "2015-05-13T11:20:26.247Z..2015-05-13T11:20:26.247Z | 192.168.253.1 5353 | 224.0.0.251 5353 | udp | \
             232/-B | 1/-P",
        ]
    );
    assert_eq!(
        summary(&MIKROTIK),
        [
            "46 flows [103235, 0, 0, 253]",
            "2017-07-19T16:18:08Z..2017-07-19T16:18:08Z | 10.10.8.197 123 | 192.168.128.17 123 | udp | 152/-B | \
             2/-P | ingress {interface:13} | egress {interface:7} | source nat Some(192.168.230.216) None",
            "2017-07-19T16:18:08Z..2017-07-19T16:18:08Z | fe80::ff:fe00:1201 5678 | fe80::ff:fe00:1201 5678 | udp | \
             370/-B | 2/-P | ingress {interface:17}",
        ]
    );
    assert_eq!(
        summary(&OPENBSD),
        [
            "26 flows [99323, 0, 0, 209]",
            "2016-07-21T13:29:59Z..2016-07-21T13:29:59Z | 192.168.0.17 64020 | 192.168.0.1 80 | tcp | 373/-B | \
             7/-P | ingress {interface:1} | egress {interface:1}",
            "2016-07-21T13:29:59Z..2016-07-21T13:30:01Z | 192.168.0.1 80 | 192.168.0.17 64026 | tcp | 6425/-B | \
             8/-P | ingress {interface:1} | egress {interface:1}",
        ]
    );
    assert_eq!(
        summary(&VMWARE),
        [
            "3 flows [558, 0, 0, 4]",
            "2016-12-22T12:17:37Z..2016-12-22T12:17:37Z | 172.18.65.21 61209 | 172.18.65.211 5985 | tcp | 100/-B | \
             2/-P | flags [SYN] | ingress {interface:3} | egress {interface:11} | reason idle timeout",
            "2016-12-22T12:17:42Z..2016-12-22T12:17:42Z | 172.18.65.91 138 | 172.18.65.255 138 | udp | 229/-B | \
             1/-P | ingress {interface:3} | egress {interface:11} | reason idle timeout",
        ]
    );
}

#[test]
fn how_exporters_stand() {
    let mut exporters = Exporters::default();
    all(&mut exporters, &messages(&[NETFLOW5, IPFIX]));
    let standing: Vec<_> = exporters.standing().collect();
    let told = standing.iter().map(|standing| {
        assert_eq!(standing.exporter.as_deref(), Some("192.0.2.1:2055"));
        let Standing {
            version,
            packets,
            flows,
            options,
            templates,
            ..
        } = standing;
        assert_eq!((standing.missed, standing.late, standing.resets), (0, 0, 0));
        format!("{version:?} {packets} {flows} {options} {templates}")
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, ["Netflow5 12 30 0 0", "Ipfix 3 12 1 3"]);
}

#[test]
fn messages_lie_one_after_the_other() {
    // Some firewalls fill up with zeros.
    let padded = [PALO_ALTO[1], &[0; 108]].concat();
    let files: Vec<u8> = [PALO_ALTO[0], &padded, NETFLOW5, IPFIX, &padded, SOFTFLOWD].concat();
    let messages = messages(&[&files]);
    assert_eq!(messages.len(), 2 + 12 + 3 + 2);
    assert_eq!(messages[1], padded);
    let (flows, problems) = taken(&messages);
    assert_eq!(flows.len(), 8 + 30 + 12 + 8 + 7);
    assert_eq!(problems, [Reason::TrailingZeros; 2]);
    assert!(Reason::TrailingZeros.is_harmless());
}
