//! What one exporter has told so far.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{
    Limits,
    bytes::{Bytes, are_zero},
    context::Context,
    element as e,
    message::{Message, SET_HEADER, Version},
    record::Record,
    sampling::Sampling,
    sequence::Sequence,
    taken::{Reason, Taken},
    template::{Template, Templates, Told},
    translate, version5,
    waiting::{Waiting, Waits},
};

/// How many bytes may be left of a set that are padding whatever they are: sets end at a border of four.
const PADDING: usize = 3;

/// An exporter.
#[derive(Debug, Default)]
pub(super) struct Exporter {
    /// When it was last seen, in packets of all.
    pub seen: u64,
    pub domains: BTreeMap<(Version, u32), Domain>,
    pub waiting: Waiting,
}

/// What of an exporter has templates and numbers of its own.
#[derive(Debug, Default)]
pub(super) struct Domain {
    seen: u64,
    pub templates: BTreeMap<u16, Arc<Template>>,
    sampling: Sampling,
    /// When the exporter started, as it said in options.
    init: Option<Timestamp>,
    pub sequence: Sequence,
    pub packets: u64,
    pub flows: u64,
    pub options: u64,
    pub others: u64,
}

/// How many records were read.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    flows: u64,
    all: u64,
    /// There are more, that could not be counted.
    is_partial: bool,
}

impl Exporter {
    /// Takes a message.
    pub fn take(
        &mut self,
        message: &Message,
        context: &Context,
        limits: &Limits,
        taken: &mut Taken,
    ) {
        let header = &message.header;
        let key = (header.version, header.domain);
        self.make_room(key, context, limits, taken);
        let domain = self.domains.entry(key).or_default();
        domain.seen = self.seen;
        domain.packets += 1;
        if message.is_truncated {
            let detail = "the message is shorter than its header says";
            taken.problem(&context.origin, Reason::Truncated, detail);
        }
        let counted = if header.version == Version::Netflow5 {
            domain.records_5(message.body, context, taken)
        } else {
            let mut work = Work {
                domain,
                waiting: &mut self.waiting,
                context,
                limits,
                taken,
            };
            work.sets(message.body)
        };
        context.trailing(message.after, taken);
        let all = (!counted.is_partial).then_some(counted.all);
        let domain = self.domains.entry(key).or_default();
        domain.sequence.note(header, all, counted.flows);
    }

    /// Lets the domain go that was not seen for the longest time, if there is one too many.
    fn make_room(
        &mut self,
        key: (Version, u32),
        context: &Context,
        limits: &Limits,
        taken: &mut Taken,
    ) {
        if self.domains.contains_key(&key) || self.domains.len() < limits.domains {
            return;
        }
        let oldest = self.domains.iter().min_by_key(|(_, domain)| domain.seen);
        let Some(oldest) = oldest.map(|(key, _)| *key) else {
            return;
        };
        self.domains.remove(&oldest);
        let detail = format!("domain {} of {:?}", oldest.1, oldest.0);
        taken.problem(&context.origin, Reason::Forgotten, detail);
        report(
            &self.waiting.take_domain(oldest),
            Reason::WaitingDropped,
            taken,
        );
    }
}

impl Domain {
    fn records_5(&mut self, body: &[u8], context: &Context, taken: &mut Taken) -> Counted {
        let records = version5::records(body, context, taken);
        self.flows += records;
        Counted {
            flows: records,
            // The exporter counts those that it announces, also if they are not there.
            all: u64::from(context.header.count),
            is_partial: false,
        }
    }

    /// Reads the records of a set.
    fn records(
        &mut self,
        template: &Template,
        body: &[u8],
        context: &Context,
        taken: &mut Taken,
    ) -> Counted {
        let mut bytes = Bytes(body);
        let mut counted = Counted::default();
        while bytes.len() >= template.least
            && let Some(record) = Record::take(&mut bytes, template)
        {
            counted.all += 1;
            if template.is_options {
                self.take_options(&record, context, taken);
            } else if let Some(flow) = translate::flow(&record, context, self.init, &self.sampling)
            {
                counted.flows += 1;
                taken.flows.push(flow);
            }
        }
        if bytes.len() > PADDING && !are_zero(bytes.0) {
            let detail = format!("{} bytes behind {} records", bytes.len(), counted.all);
            taken.problem(&context.origin, Reason::BadRecord, detail);
        }
        self.count(template, counted, context, taken);
        counted
    }

    fn count(
        &mut self,
        template: &Template,
        counted: Counted,
        context: &Context,
        taken: &mut Taken,
    ) {
        if template.is_options {
            self.options += counted.all;
            return;
        }
        self.flows += counted.flows;
        let others = counted.all - counted.flows;
        self.others += others;
        if others != 0 {
            let detail = format!("{others} records do not tell of two addresses");
            taken.problem(&context.origin, Reason::NotFlow, detail);
        }
    }

    fn take_options(&mut self, record: &Record, context: &Context, taken: &mut Taken) {
        let init = record.some(e::SYSTEM_INIT);
        let init = init.and_then(|number| i64::try_from(number).ok());
        let init = init.and_then(|number| Timestamp::from_millisecond(number).ok());
        self.init = init.or(self.init);
        if !self.sampling.take(record) {
            let detail = "a sampler more than are kept";
            taken.problem(&context.origin, Reason::TooManyTemplates, detail);
        }
    }
}

/// The reading of a message's sets.
struct Work<'a> {
    domain: &'a mut Domain,
    waiting: &'a mut Waiting,
    context: &'a Context,
    limits: &'a Limits,
    taken: &'a mut Taken,
}

impl Work<'_> {
    fn sets(&mut self, body: &[u8]) -> Counted {
        let mut bytes = Bytes(body);
        let mut counted = Counted::default();
        while !bytes.is_empty() {
            let rest = bytes.0;
            let Some((number, set)) = set(&mut bytes) else {
                self.no_set(rest);
                counted.is_partial = !are_zero(rest);
                break;
            };
            counted.add(self.set(number, set));
        }
        counted
    }

    /// What is left is no set: zeros, which some exporters fill up with, or one that was cut off.
    fn no_set(&mut self, rest: &[u8]) {
        if are_zero(rest) {
            self.context.trailing(rest, self.taken);
        } else {
            self.problem(
                Reason::BadSet,
                format!("{} bytes are not a set", rest.len()),
            );
        }
    }

    fn set(&mut self, number: u16, set: &[u8]) -> Counted {
        let is_ipfix = self.context.header.version == Version::Ipfix;
        match (number, is_ipfix) {
            (0, false) | (2, true) => self.templates(number, set, false),
            (1, false) | (3, true) => self.templates(number, set, true),
            (256.., _) => return self.data(number, set),
            _ => self.problem(
                Reason::BadSet,
                format!("number {number}, {} bytes", set.len()),
            ),
        }
        Counted::default()
    }

    fn templates(&mut self, set: u16, bytes: &[u8], is_options: bool) {
        let templates = Templates {
            bytes: Bytes(bytes),
            version: self.context.header.version,
            is_options,
            limit: self.limits.fields,
        };
        for told in templates {
            match told {
                Ok(Told::Template(number, template)) => self.learn(number, template),
                Ok(Told::Withdrawn(number)) if number == set => self.forget_all(is_options),
                Ok(Told::Withdrawn(number)) => drop(self.domain.templates.remove(&number)),
                Ok(Told::TooLarge(number, fields)) => {
                    let detail = format!("template {number} of {fields} fields");
                    self.problem(Reason::TooManyTemplates, detail);
                }
                Err(detail) => self.problem(Reason::BadTemplate, detail),
            }
        }
    }

    /// A template that is told again replaces what it was.
    fn learn(&mut self, number: u16, template: Template) {
        let templates = &mut self.domain.templates;
        if templates.len() >= self.limits.templates && !templates.contains_key(&number) {
            self.problem(Reason::TooManyTemplates, format!("template {number}"));
            return;
        }
        let template = Arc::new(template);
        let is_new = templates.insert(number, Arc::clone(&template)).is_none();
        if !is_new {
            // Nothing waits for what was known.
            return;
        }
        let header = &self.context.header;
        for waits in self.waiting.take((header.version, header.domain), number) {
            let context = &waits.context;
            self.domain
                .records(&template, &waits.body, context, self.taken);
        }
    }

    /// All templates are withdrawn, of flows or of options.
    fn forget_all(&mut self, is_options: bool) {
        let templates = &mut self.domain.templates;
        templates.retain(|_, template| template.is_options != is_options);
    }

    fn data(&mut self, number: u16, set: &[u8]) -> Counted {
        if let Some(template) = self.domain.templates.get(&number).map(Arc::clone) {
            return self
                .domain
                .records(&template, set, self.context, self.taken);
        }
        let waits = Waits {
            template: number,
            context: self.context.clone(),
            body: set.to_vec(),
        };
        let gone = self.waiting.push(waits, self.limits.waiting);
        report(&gone, Reason::WaitingDropped, self.taken);
        Counted {
            is_partial: true,
            ..Counted::default()
        }
    }

    fn problem(&mut self, reason: Reason, detail: String) {
        self.taken.problem(&self.context.origin, reason, detail);
    }
}

impl Counted {
    fn add(&mut self, other: Self) {
        self.flows += other.flows;
        self.all += other.all;
        self.is_partial |= other.is_partial;
    }
}

/// Takes a set off the front: its number, and what is in it. Nothing, if that is not one.
fn set<'a>(bytes: &mut Bytes<'a>) -> Option<(u16, &'a [u8])> {
    let mut left = *bytes;
    let number = left.u16()?;
    let length = usize::from(left.u16()?).checked_sub(SET_HEADER)?;
    let set = left.take(length)?;
    *bytes = left;
    Some((number, set))
}

/// Tells of sets that are let go, in one problem for each template.
pub(super) fn report(sets: &[Waits], reason: Reason, taken: &mut Taken) {
    let mut templates: BTreeMap<_, Vec<&Waits>> = BTreeMap::new();
    for set in sets {
        templates
            .entry((set.domain(), set.template))
            .or_default()
            .push(set);
    }
    for (((version, domain), template), sets) in templates {
        let Some(first) = sets.first() else { continue };
        let bytes: usize = sets.iter().map(|set| set.body.len()).sum();
        let exporter = first.context.origin.exporter.as_deref();
        let detail = format!(
            "template {template} of domain {domain} of {version:?} of {}: {} sets, {bytes} bytes",
            exporter.unwrap_or("an exporter that is not known"),
            sets.len()
        );
        taken.problem(&first.context.origin, reason, detail);
    }
}
