//! Records that go to several places.

use tracer_core::{clock::Clock, record::Record, totals::Totals};

use super::sink::{RecordSink, Written};

/// Hands all that it is given to each of several sinks, in their order. One that nobody reads any more is not asked
/// again.
pub struct Tee {
    sinks: Vec<Box<dyn RecordSink>>,
}

impl Tee {
    /// To these.
    pub fn new(sinks: Vec<Box<dyn RecordSink>>) -> Self {
        Self { sinks }
    }

    /// Does the same with each, also if one of them fails. Closed, if all of them are.
    fn each(
        &mut self,
        mut act: impl FnMut(&mut dyn RecordSink) -> anyhow::Result<Written>,
    ) -> anyhow::Result<Written> {
        let mut failed = None;
        self.sinks.retain_mut(|sink| match act(sink.as_mut()) {
            Ok(written) => written == Written::All,
            Err(why) => {
                failed.get_or_insert(why);
                true
            }
        });
        match failed {
            Some(why) => Err(why),
            None if self.sinks.is_empty() => Ok(Written::Closed),
            None => Ok(Written::All),
        }
    }
}

impl RecordSink for Tee {
    fn take(&mut self, records: &[Record], clock: &Clock) -> anyhow::Result<Written> {
        self.each(|sink| sink.take(records, clock))
    }

    fn surveyed(&mut self) {
        for sink in &mut self.sinks {
            sink.surveyed();
        }
    }

    fn note(&mut self, sentence: &str) {
        for sink in &mut self.sinks {
            sink.note(sentence);
        }
    }

    fn totals(&mut self, totals: &Totals) {
        for sink in &mut self.sinks {
            sink.totals(totals);
        }
    }

    fn end(&mut self) -> anyhow::Result<Written> {
        self.each(|sink| sink.end())
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use anyhow::bail;
    use tracer_core::clock::Anchor;

    use super::*;

    /// What became of taking.
    #[derive(Clone, Copy)]
    enum Outcome {
        Written(Written),
        Failed,
    }

    /// Notes what it is called for.
    struct Noting(Rc<RefCell<Vec<&'static str>>>, Outcome);

    impl RecordSink for Noting {
        fn take(&mut self, _: &[Record], _: &Clock) -> anyhow::Result<Written> {
            self.0.borrow_mut().push("take");
            match self.1 {
                Outcome::Written(written) => Ok(written),
                Outcome::Failed => bail!("it failed"),
            }
        }

        fn totals(&mut self, _: &Totals) {
            self.0.borrow_mut().push("totals");
        }

        fn end(&mut self) -> anyhow::Result<Written> {
            self.0.borrow_mut().push("end");
            Ok(Written::All)
        }
    }

    /// What two sinks make of records, and what they were called for.
    fn taken(outcomes: [Outcome; 2]) -> (anyhow::Result<Written>, Vec<&'static str>) {
        let calls = Rc::default();
        let noting = |outcome| Box::new(Noting(Rc::clone(&calls), outcome)) as Box<dyn RecordSink>;
        let mut tee = Tee::new(outcomes.map(noting).into());
        let anchor = Anchor {
            boot_ns: 0,
            utc_ns: 0,
            offset_s: 0,
            zone: String::new(),
        };
        let result = tee.take(&[], &Clock::new(anchor));
        tee.totals(&Totals::default());
        tee.end().unwrap();
        let calls = calls.borrow().clone();
        (result, calls)
    }

    #[test]
    fn it_is_closed_when_all_are() {
        let (open, closed) = (
            Outcome::Written(Written::All),
            Outcome::Written(Written::Closed),
        );
        let (one, calls) = taken([closed, open]);
        assert_eq!(one.unwrap(), Written::All);
        // Who has closed is not asked again.
        assert_eq!(calls, ["take", "take", "totals", "end"]);
        let (all, _) = taken([closed, closed]);
        assert_eq!(all.unwrap(), Written::Closed);
    }

    #[test]
    fn one_that_fails_keeps_nothing_from_the_others() {
        let (result, calls) = taken([Outcome::Failed, Outcome::Written(Written::All)]);
        assert_eq!(result.unwrap_err().to_string(), "it failed");
        assert_eq!(calls[..2], ["take", "take"]);
    }
}
