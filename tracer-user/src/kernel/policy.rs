//! Which rungs may be used: `--hooks`.

use std::str::FromStr;

use super::ladder::{Fact, Family, Rung};

/// What `--hooks` asks for: `auto`, a family for all facts, or `fact=via` for one; the latter may
/// be added to the former, e.g. `fentry,accept=fexit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    family: Option<Family>,
    pinned: Vec<(Fact, &'static str)>,
}

impl Policy {
    /// The rungs of a fact that may be tried, best first. Where a family was asked for that has no
    /// rung for the fact, those of the families below it may.
    pub fn rungs(&self, fact: Fact) -> Vec<&'static Rung> {
        let all = fact.rungs();
        let pinned = self.pinned.iter().find(|(pinned, _)| *pinned == fact);
        if let Some((_, via)) = pinned {
            return all.iter().filter(|rung| rung.via == *via).collect();
        }
        let Some(family) = self.family else {
            return all.iter().collect();
        };
        let of = |wanted| all.iter().filter(move |rung| rung.family == wanted);
        [Family::Fentry, Family::Kprobe, Family::Tracepoint]
            .into_iter()
            .filter(|candidate| *candidate >= family)
            .map(|candidate| of(candidate).collect::<Vec<_>>())
            .find(|rungs| !rungs.is_empty())
            .unwrap_or_default()
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut policy = Self::default();
        for word in text.split(',').map(str::trim) {
            if let Some((fact, via)) = word.split_once('=') {
                policy.pinned.push(pin(fact, via)?);
            } else {
                policy.family = family(word)?;
            }
        }
        Ok(policy)
    }
}

fn family(word: &str) -> Result<Option<Family>, String> {
    let families = [Family::Fentry, Family::Kprobe, Family::Tracepoint];
    match families.into_iter().find(|family| family.name() == word) {
        Some(family) => Ok(Some(family)),
        None if word == "auto" => Ok(None),
        None => Err(format!(
            "`{word}` is none of auto, fentry, kprobe, tracepoint and has no `=`"
        )),
    }
}

fn pin(fact: &str, via: &str) -> Result<(Fact, &'static str), String> {
    let known = Fact::every()
        .find(|known| known.name() == fact)
        .ok_or_else(|| format!("there is no fact `{fact}`; see `conntracer doctor`"))?;
    let rung = known.rungs().iter().find(|rung| rung.via == via);
    if let Some(rung) = rung {
        Ok((known, rung.via))
    } else {
        let mut vias: Vec<&str> = known.rungs().iter().map(|rung| rung.via).collect();
        vias.dedup();
        Err(format!(
            "`{fact}` cannot be had through `{via}`, only through {}",
            vias.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vias(policy: &str, fact: Fact) -> Vec<&'static str> {
        let policy: Policy = policy.parse().unwrap();
        policy.rungs(fact).iter().map(|rung| rung.via).collect()
    }

    #[test]
    fn auto_tries_everything_best_first() {
        assert_eq!(
            vias("auto", Fact::Accept),
            ["fentry", "kprobe", "fexit", "kretprobe", "tp_btf", "tp_btf"]
        );
    }

    #[test]
    fn a_family_is_forced_where_it_has_a_rung() {
        assert_eq!(vias("kprobe", Fact::Connect), ["kprobe"]);
        assert_eq!(vias("kprobe", Fact::Accept), ["kprobe", "kretprobe"]);
        assert_eq!(vias("kprobe", Fact::Listen), ["sock_ops"]);
        assert_eq!(vias("fentry", Fact::State), ["tp_btf"]);
        assert_eq!(vias("tracepoint", Fact::Connect), ["sock_ops"]);
    }

    #[test]
    fn one_fact_can_be_pinned() {
        assert_eq!(vias("fentry,accept=fexit", Fact::Accept), ["fexit"]);
        assert_eq!(vias("fentry,accept=fexit", Fact::Connect), ["fentry"]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let error = |text: &str| text.parse::<Policy>().unwrap_err();
        assert!(error("fast").contains("`fast` is none of"));
        assert!(error("accept=lsm").contains("only through fentry, kprobe, fexit"));
        assert!(error("nap=fexit").contains("no fact `nap`"));
    }
}
