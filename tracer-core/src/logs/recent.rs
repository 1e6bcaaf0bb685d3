//! What is remembered for a later line.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, Hash, RandomState},
};

/// How many things are remembered, unless somebody says otherwise.
const MOST: usize = 4096;

/// Remembers a bounded number of things, the newest of them.
#[derive(Debug)]
pub struct Recent<K, V> {
    known: HashMap<K, (u64, V)>,
    /// What was put in, the oldest first, also what has been taken out or replaced.
    order: VecDeque<(u64, K)>,
    /// How many were put in.
    count: u64,
    most: usize,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self::keeping(MOST)
    }
}

impl<K, V> Recent<K, V> {
    /// Remembers so many.
    #[must_use]
    pub fn keeping(most: usize) -> Self {
        Self {
            known: HashMap::new(),
            order: VecDeque::new(),
            count: 0,
            most,
        }
    }
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// Puts one in, in place of what has the same key. The oldest comes out if there are too many.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.count += 1;
        self.order.push_back((self.count, key.clone()));
        self.known.insert(key, (self.count, value));
        if self.order.len() > 2 * self.most {
            let known = &self.known;
            let is_current = |(at, key): &(u64, K)| known.get(key).is_some_and(|(is, _)| is == at);
            self.order.retain(is_current);
        }
        if self.known.len() > self.most {
            self.oldest()
        } else {
            None
        }
    }

    /// What has a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key).map(|(_, value)| value)
    }

    /// Takes out what has a key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.known.remove(key).map(|(_, value)| value)
    }

    /// Takes out the oldest.
    pub fn oldest(&mut self) -> Option<V> {
        while let Some((at, key)) = self.order.pop_front() {
            if self.known.get(&key).is_some_and(|(is, _)| *is == at) {
                return self.remove(&key);
            }
        }
        None
    }
}

/// What was seen lately, by hashes.
#[derive(Debug, Default)]
pub struct Seen {
    hasher: RandomState,
    hashes: Recent<u64, ()>,
}

impl Seen {
    /// Sees something. Whether it was not remembered before.
    pub fn insert(&mut self, what: impl Hash) -> bool {
        let is_new = !self.contains(&what);
        if is_new {
            self.hashes.insert(self.hasher.hash_one(what), ());
        }
        is_new
    }

    /// Whether something is remembered.
    pub fn contains(&self, what: impl Hash) -> bool {
        self.hashes.get(&self.hasher.hash_one(what)).is_some()
    }

    /// Forgets something. Whether it was remembered.
    pub fn remove(&mut self, what: impl Hash) -> bool {
        self.hashes.remove(&self.hasher.hash_one(what)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut recent = Recent::default();
        for round in 0..5 {
            for key in 0..MOST {
                assert_eq!(recent.insert(key, round), None);
            }
        }
        assert!(recent.order.len() <= 2 * MOST);
        assert_eq!(recent.remove(&0), Some(4));
        assert_eq!(recent.insert(MOST, 5), None);
        assert_eq!(recent.insert(0, 6), Some(4), "that of 1");
        assert_eq!((recent.get(&1), recent.get(&0)), (None, Some(&6)));
    }

    #[test]
    fn the_oldest_that_was_seen_is_forgotten() {
        let mut seen = Seen::default();
        for number in 0..=MOST {
            assert!(seen.insert(("task", number)));
        }
        assert!(!seen.insert(("task", 1_usize)));
        assert!(seen.remove(("task", 1_usize)) && !seen.remove(("task", 1_usize)));
        assert!(seen.insert(("task", 0_usize)));
    }
}
