//! Real containers at the cgroup paths of real runtimes.

use tracer_tests::{
    container::Container, netns::Netns, peer::Peer, record::Record, tracer::Tracer,
};

const UID: &str = "6f3a1c2e-8b4d-4e5f-9a0b-1c2d3e4f5a6b";

/// What the records say of a container at this cgroup path: all of them the same.
fn records_of(cgroup: &str) -> Vec<Record> {
    let netns = Netns::new();
    let inode = netns.inode().to_string();
    let tracer = Tracer::start(&["--netns", &inode]);
    let mut server = Peer::start(&netns, &["serve", "127.0.0.1:0", "1", "10", "10"]);
    let port = server.port();
    let target = format!("127.0.0.1:{port}");
    Container::new(&netns, cgroup, &["connect", &target, "10", "10"]).run();
    server.finish();
    let finished = tracer.stop();
    finished.assert_totals_add_up();
    let records: Vec<Record> = finished
        .records
        .into_iter()
        .filter(|record| record.text("direction") == "outbound")
        .collect();
    let events: Vec<&str> = records.iter().map(Record::event).collect();
    assert_eq!(events, ["connect", "established", "close"]);
    for record in &records {
        assert_eq!(record.text("cgroup.path"), cgroup);
        assert_eq!(record.text("process.exe"), "/peer");
        assert_eq!(record.number("process.ns_pid"), Some(1));
        assert_eq!(record.number("netns"), Some(netns.inode()));
    }
    records
}

/// 64 digits that no other test uses.
fn id(of: u8) -> String {
    format!("{:032x}{of:032x}", std::process::id())
}

#[test]
fn kubernetes_with_containerd_and_the_systemd_driver() {
    let id = id(1);
    let pod = UID.replace('-', "_");
    let cgroup = format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod}.slice/\
         cri-containerd-{id}.scope"
    );
    for record in records_of(&cgroup) {
        assert_eq!(record.text("container.id"), id);
        assert_eq!(record.text("container.runtime"), "containerd");
        assert_eq!(record.text("pod.uid"), UID);
    }
}

#[test]
fn kubernetes_with_the_cgroupfs_driver() {
    let id = id(2);
    for record in records_of(&format!("/kubepods/burstable/pod{UID}/{id}")) {
        assert_eq!(record.text("container.id"), id);
        assert_eq!(record.text("pod.uid"), UID);
    }
}

#[test]
fn docker() {
    let id = id(3);
    for record in records_of(&format!("/docker/{id}")) {
        assert_eq!(record.text("container.id"), id);
        assert_eq!(record.text("container.runtime"), "docker");
        assert_eq!(record.at("pod"), &serde_json::Value::Null);
    }
}
