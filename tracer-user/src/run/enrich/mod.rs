//! Files of the user that say something of other hosts: read when a run begins, and again when they change.

mod feed;
mod watched;

use std::{
    cell::RefCell,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tracer_core::{
    enrich::Enrichment,
    select::{Selection, Term, Test},
    threat::{Feed, Indicators, Options},
};

use self::watched::Watched;
use crate::cli::{EnrichArgs, SelectionArgs, UsageError};

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// What files say of other hosts, kept up to date, for all in this process who ask.
#[derive(Clone, Default)]
pub struct Enriching {
    /// Only what meets an indicator is asked for.
    pub is_of_threats: bool,
    /// `None`: there are none.
    files: Option<Rc<RefCell<Files>>>,
}

impl Enriching {
    /// Reads the files, and says what of them is not used.
    ///
    /// # Errors
    /// If one cannot be read: what it would have shown nobody would miss.
    pub fn new(args: &EnrichArgs) -> anyhow::Result<Self> {
        for (flag, is_given) in [
            ("--threat", args.threat),
            ("--allow", !args.allow.is_empty()),
        ] {
            if is_given && args.feed.is_empty() {
                let why = format!("{flag}: there is no feed; --feed names files of indicators");
                return Err(UsageError(why).into());
            }
        }
        if args.feed.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self {
            is_of_threats: args.threat,
            files: Some(Rc::new(RefCell::new(Files::new(args)?))),
        })
    }

    /// What the files say, if there are any.
    pub fn now(&self) -> Option<Arc<Enrichment>> {
        Some(self.files.as_ref()?.borrow().now.clone())
    }

    /// Reads again what has changed, if it is time to look. What the files say now, if that is something else.
    /// What can no longer be read goes on as it was.
    pub fn changed(&self) -> Option<Arc<Enrichment>> {
        self.files.as_ref()?.borrow_mut().changed()
    }

    /// The same selection, and only what meets an indicator, if that is asked for.
    pub fn select(&self, mut selection: Selection) -> Selection {
        if self.is_of_threats {
            selection.terms.push(Term {
                test: Test::Threat,
                is_negated: false,
            });
        }
        selection
    }

    /// The flags that select as they were typed, for the header of a recording.
    pub fn words(&self, selection: &SelectionArgs) -> Vec<String> {
        let threat = self.is_of_threats.then(|| "--threat".to_owned());
        selection.words().into_iter().chain(threat).collect()
    }
}

/// The files, and what is made of them.
struct Files {
    feeds: Vec<Watched<Feed>>,
    allowed: Vec<Watched<Feed>>,
    now: Arc<Enrichment>,
    next: Instant,
}

impl Files {
    fn new(args: &EnrichArgs) -> anyhow::Result<Self> {
        let mut files = Self {
            feeds: all(&args.feed, feed::bad)?,
            allowed: all(&args.allow, feed::allowed)?,
            now: Arc::default(),
            next: Instant::now() + INTERVAL,
        };
        files.make();
        Ok(files)
    }

    fn make(&mut self) {
        let feeds = |all: &[Watched<Feed>]| -> Vec<Arc<Feed>> {
            all.iter().map(|one| one.content.clone()).collect()
        };
        let (bad, allowed) = (feeds(&self.feeds), feeds(&self.allowed));
        self.now = Arc::new(Enrichment {
            indicators: Indicators::new(&bad, &allowed, Options::default()),
        });
    }

    fn changed(&mut self) -> Option<Arc<Enrichment>> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + INTERVAL;
        let feeds = self.feeds.iter_mut().chain(&mut self.allowed);
        // All are looked at.
        let changed = feeds.filter_map(Watched::look).count();
        if changed == 0 {
            return None;
        }
        self.make();
        Some(self.now.clone())
    }
}

fn all<T>(paths: &[PathBuf], read: watched::Read<T>) -> anyhow::Result<Vec<Watched<T>>> {
    paths.iter().map(|path| Watched::open(path, read)).collect()
}
