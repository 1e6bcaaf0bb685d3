//! How many packets stand for one that was seen.
//!
//! Format: RFC 3954, 8; the elements of RFC 5477, 8.2.

use std::collections::BTreeMap;

use super::{element as e, record::Record};
use crate::flows::{Amount, Flow};

/// How many samplers of a domain are kept.
const SAMPLERS: usize = 256;

/// How many packets were there for how many that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    there: u64,
    seen: u64,
}

impl Rate {
    /// One of so many: none and one are both all of them.
    pub fn one_in(interval: u64) -> Self {
        Self {
            there: interval,
            seen: 1,
        }
    }

    /// Makes of what was counted what was probably there. If all were seen, it is not estimated.
    pub fn apply(self, flow: &mut Flow) {
        if self.seen != 0 && self.there > self.seen {
            self.amount(&mut flow.bytes);
            self.amount(&mut flow.packets);
        }
    }

    fn amount(self, amount: &mut Amount) {
        for count in [&mut amount.forward, &mut amount.reverse, &mut amount.total] {
            *count = count.map(|count| self.times(count));
        }
        amount.estimated = !amount.is_unknown();
    }

    fn times(self, count: u64) -> u64 {
        let product = u128::from(count) * u128::from(self.there) / u128::from(self.seen.max(1));
        u64::try_from(product).unwrap_or(u64::MAX)
    }
}

/// What a record says of sampling, if it does.
fn rate(record: &Record) -> Option<Rate> {
    let number = |element| record.number(element);
    let interval = || record.any(&[e::SAMPLING_INTERVAL, e::SAMPLER_INTERVAL]);
    let counted = || {
        let seen = number(e::SAMPLED_PACKETS)?;
        let there = seen.saturating_add(number(e::SAMPLING_SPACE)?);
        Some(Rate { there, seen })
    };
    let random = || {
        let there = number(e::SAMPLE_POPULATION)?;
        let seen = number(e::SAMPLE_SIZE)?;
        Some(Rate { there, seen })
    };
    let simple = interval().map(Rate::one_in);
    simple.or_else(counted).or_else(random)
}

fn sampler(record: &Record) -> Option<u64> {
    record.any(&[e::SELECTOR_ID, e::SAMPLER_ID])
}

/// What a domain has told of its samplers.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    /// By the number of the sampler, or none where one samples all.
    rates: BTreeMap<Option<u64>, Rate>,
}

impl Sampling {
    /// Takes a record of options. False, if there are more samplers than are kept.
    #[must_use]
    pub fn take(&mut self, record: &Record) -> bool {
        let Some(rate) = rate(record) else {
            return true;
        };
        let sampler = sampler(record);
        let fits = self.rates.len() < SAMPLERS || self.rates.contains_key(&sampler);
        if fits {
            self.rates.insert(sampler, rate);
        }
        fits
    }

    /// How a record of a flow was sampled: as it says itself; else as its sampler does.
    pub fn of(&self, record: &Record) -> Option<Rate> {
        rate(record).or_else(|| match sampler(record) {
            Some(sampler) => self.rates.get(&Some(sampler)).copied(),
            None => self.common(),
        })
    }

    /// Of a record that names no sampler: the one that samples all; or the only one that there is.
    fn common(&self) -> Option<Rate> {
        let is_only = self.rates.len() == 1;
        let only = || self.rates.values().next().filter(|_| is_only);
        self.rates.get(&None).or_else(only).copied()
    }
}
