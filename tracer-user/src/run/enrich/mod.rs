//! Files of the user that say something of other hosts: read when a run begins, and again when they change.

mod feed;
mod table;
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
    geo::{Database, Databases},
    people::Profiles,
    select::{Selection, Term, Test},
    threat::{Feed, Indicators, Options},
};

use self::watched::Watched;
use crate::cli::{EnrichArgs, EnrichFiles, SelectionArgs, UsageError};

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
        if args.threat && args.files.feed.is_empty() {
            return Err(no_feed("--threat").into());
        }
        Ok(Self {
            is_of_threats: args.threat,
            ..Self::of(&args.files)?
        })
    }

    /// Reads the files, of which nothing is selected by them.
    ///
    /// # Errors
    /// As those of [`Self::new`].
    pub fn of(files: &EnrichFiles) -> anyhow::Result<Self> {
        if !files.allow.is_empty() && files.feed.is_empty() {
            return Err(no_feed("--allow").into());
        }
        let files = match files.paths().next() {
            Some(_) => Some(Rc::new(RefCell::new(Files::new(files)?))),
            None => None,
        };
        Ok(Self {
            is_of_threats: false,
            files,
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
    databases: Vec<Watched<Database>>,
    /// One, or none.
    accounts: Vec<Watched<Profiles>>,
    now: Arc<Enrichment>,
    next: Instant,
}

impl Files {
    fn new(args: &EnrichFiles) -> anyhow::Result<Self> {
        let mut files = Self {
            feeds: all(&args.feed, feed::bad)?,
            allowed: all(&args.allow, feed::allowed)?,
            databases: all(&args.geo, table::database)?,
            accounts: all(args.accounts.as_slice(), table::accounts)?,
            now: Arc::default(),
            next: Instant::now() + INTERVAL,
        };
        files.make();
        Ok(files)
    }

    fn make(&mut self) {
        let (bad, allowed) = (contents(&self.feeds), contents(&self.allowed));
        let profiles = contents(&self.accounts).into_iter().next();
        self.now = Arc::new(Enrichment {
            indicators: Indicators::new(&bad, &allowed, Options::default()),
            databases: Databases(contents(&self.databases)),
            profiles: profiles.unwrap_or_default(),
        });
    }

    fn changed(&mut self) -> Option<Arc<Enrichment>> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + INTERVAL;
        // All are looked at.
        let changed = [
            looked(&mut self.feeds),
            looked(&mut self.allowed),
            looked(&mut self.databases),
            looked(&mut self.accounts),
        ];
        if changed == [0; 4] {
            return None;
        }
        self.make();
        Some(self.now.clone())
    }
}

fn no_feed(flag: &str) -> UsageError {
    UsageError(format!(
        "{flag}: there is no feed; --feed names files of indicators"
    ))
}

/// What they say.
fn contents<T>(all: &[Watched<T>]) -> Vec<Arc<T>> {
    all.iter().map(|one| one.content.clone()).collect()
}

/// How many of them say something new.
fn looked<T>(all: &mut [Watched<T>]) -> usize {
    all.iter_mut().filter_map(Watched::look).count()
}

fn all<T>(paths: &[PathBuf], read: watched::Read<T>) -> anyhow::Result<Vec<Watched<T>>> {
    paths.iter().map(|path| Watched::open(path, read)).collect()
}
