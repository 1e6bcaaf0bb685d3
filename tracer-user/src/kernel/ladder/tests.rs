use std::collections::HashSet;

use super::*;

#[test]
fn the_kernel_can_tell_the_programs_apart() {
    const KEPT: usize = 15;
    let names: HashSet<&str> = Fact::every()
        .flat_map(Fact::rungs)
        .flat_map(|rung| rung.programs)
        .flat_map(Program::names)
        .collect();
    let kept: HashSet<&str> = names
        .iter()
        .map(|name| name.get(..KEPT).unwrap_or(name))
        .collect();
    assert_eq!(names.len(), kept.len());
}

#[test]
fn every_fact_has_a_rung_without_kprobes_and_trampolines() {
    for fact in Fact::every() {
        assert!(
            fact.rungs()
                .iter()
                .any(|rung| rung.family == Family::Tracepoint),
            "{}",
            fact.name()
        );
    }
}
