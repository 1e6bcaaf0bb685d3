//! Lines as they come, of senders each of which may be of another kind.

use std::{collections::HashMap, sync::Arc};

use super::{
    Kind, Origin,
    log::{Problem, Readers, Taken, kind_of},
};

/// So many senders are known at most. The one that was silent for the longest time is let go for another.
const SENDERS_MAX: usize = 256;

/// Who sends lines, and what each has told so far.
pub struct Senders<K: Kind> {
    around: K::Around,
    kind: Option<K>,
    known: HashMap<Arc<str>, Sender<K>>,
    /// Lines of all of them.
    lines: u64,
    /// Lines of senders of whom it is not known what they send.
    pub unrecognised: u64,
}

struct Sender<K: Kind> {
    /// What it sends, if that was seen.
    kind: Option<K>,
    readers: Readers<K>,
    lines: u64,
    /// Which of all lines was its last.
    seen: u64,
}

impl<K: Kind> Senders<K>
where
    K::Around: Clone,
{
    /// Whose lines are of a kind, or of the kind that they look like. `around`: what lines do not say.
    #[must_use]
    pub fn new(kind: Option<K>, around: K::Around) -> Self {
        Self {
            around,
            kind,
            known: HashMap::new(),
            lines: 0,
            unrecognised: 0,
        }
    }

    /// Takes a line of a sender.
    pub fn line(&mut self, name: &str, text: &str, taken: &mut Taken<K::Item>) {
        self.lines += 1;
        if !self.known.contains_key(name) {
            self.make_room(taken);
            let sender = Sender {
                kind: self.kind,
                readers: Readers::new(self.around.clone()),
                lines: 0,
                seen: 0,
            };
            self.known.insert(name.into(), sender);
        }
        let Some((file, _)) = self.known.get_key_value(name) else {
            return;
        };
        let file = Arc::clone(file);
        let Some(sender) = self.known.get_mut(name) else {
            return;
        };
        sender.seen = self.lines;
        sender.lines += 1;
        sender.kind = sender.kind.or_else(|| kind_of(text));
        let Some(kind) = sender.kind else {
            self.unrecognised += 1;
            return;
        };
        let origin = Origin {
            file,
            line: sender.lines,
        };
        if let Err(why) = sender.readers.of(kind).line(text, &origin, &mut taken.told) {
            taken.problems.push(Problem { origin, why });
        }
    }

    /// There are no more lines: hands over what waited for one.
    pub fn end(&mut self, taken: &mut Taken<K::Item>) {
        for (file, sender) in self.known.drain() {
            sender.end(file, taken);
        }
    }

    fn make_room(&mut self, taken: &mut Taken<K::Item>) {
        if self.known.len() < SENDERS_MAX {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, sender)| sender.seen);
        let Some(name) = oldest.map(|(name, _)| Arc::clone(name)) else {
            return;
        };
        if let Some(sender) = self.known.remove(&name) {
            sender.end(name, taken);
        }
    }
}

impl<K: Kind> Sender<K> {
    fn end(mut self, file: Arc<str>, taken: &mut Taken<K::Item>) {
        let Some(kind) = self.kind else {
            return;
        };
        if let Err(why) = self.readers.of(kind).end(&mut taken.told) {
            let line = self.lines;
            let origin = Origin { file, line };
            taken.problems.push(Problem { origin, why });
        }
    }
}
