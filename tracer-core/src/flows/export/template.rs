//! Templates: what the records of a set are made of.
//!
//! Format: version 9 in RFC 3954, 5.2 and 6.1; IPFIX in RFC 7011, 3.4.

use super::{
    bytes::{Bytes, are_zero},
    element::Element,
    message::Version,
};

/// The bit of a field's number that says that an enterprise defines it.
const ENTERPRISE: u16 = 0x8000;
/// The length that stands for one that each record tells.
const VARIABLE: u16 = 0xffff;
/// The first number that a template can have.
const FIRST: u16 = 256;

/// What records are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub fields: Vec<Field>,
    /// Records tell of the exporter, and not of flows.
    pub is_options: bool,
    /// The least length of a record; at least one.
    pub least: usize,
}

/// A field of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// None of what version 9 tells the scope of options by: those have numbers of their own.
    pub element: Option<Element>,
    pub length: Length,
}

/// How long a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Fixed(u16),
    /// As each record tells.
    Variable,
}

impl Length {
    fn least(self) -> usize {
        match self {
            Self::Fixed(length) => usize::from(length),
            // The length itself.
            Self::Variable => 1,
        }
    }
}

/// What a set of templates says of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Template(u16, Template),
    /// It is not used any more; of [`ALL`], none are.
    Withdrawn(u16),
    /// It has more fields than are kept.
    TooLarge(u16, usize),
}

/// The least that a set of templates must hold for one: number and count.
const HEADER: usize = 4;

/// Reads the templates of a set.
pub(super) struct Templates<'a> {
    pub bytes: Bytes<'a>,
    pub version: Version,
    pub is_options: bool,
    /// How many fields one may have.
    pub limit: usize,
}

impl Iterator for Templates<'_> {
    type Item = Result<Told, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.bytes.0;
        if left.len() < HEADER || are_zero(left) {
            return None;
        }
        let told = self.one();
        if told.is_none() {
            self.bytes = Bytes(&[]);
        }
        Some(told.ok_or_else(|| format!("{} bytes are not all of a template", left.len())))
    }
}

impl Templates<'_> {
    fn one(&mut self) -> Option<Told> {
        let number = self.bytes.u16()?;
        let (count, scopes) = match (self.version, self.is_options) {
            (Version::Ipfix, true) => match self.bytes.u16()? {
                0 => (0, 0),
                count => (count, self.bytes.u16()?),
            },
            (_, true) => self.counts_9()?,
            (_, false) => (self.bytes.u16()?, 0),
        };
        if count == 0 && self.version == Version::Ipfix {
            return Some(Told::Withdrawn(number));
        }
        let scopes_of_9 = match self.version {
            Version::Netflow9 => scopes,
            _ => 0,
        };
        let fields = (0..count).map(|at| self.field(at < scopes_of_9));
        let fields: Option<Vec<Field>> = fields.collect();
        let fields = fields.filter(|_| number >= FIRST)?;
        if fields.len() > self.limit {
            return Some(Told::TooLarge(number, fields.len()));
        }
        Some(Told::Template(number, self.template(fields)?))
    }

    /// Version 9 counts the bytes of scope and of options.
    fn counts_9(&mut self) -> Option<(u16, u16)> {
        let [scopes, options] = [self.bytes.u16()? / 4, self.bytes.u16()? / 4];
        Some((scopes.checked_add(options)?, scopes))
    }

    fn field(&mut self, is_scope_of_9: bool) -> Option<Field> {
        let number = self.bytes.u16()?;
        let length = self.bytes.u16()?;
        let is_ipfix = self.version == Version::Ipfix;
        let has_enterprise = is_ipfix && number & ENTERPRISE != 0;
        let element = if has_enterprise {
            Element {
                enterprise: self.bytes.u32()?,
                number: number & !ENTERPRISE,
            }
        } else {
            Element::iana(number)
        };
        let length = match length {
            VARIABLE if is_ipfix => Length::Variable,
            length => Length::Fixed(length),
        };
        Some(Field {
            element: (!is_scope_of_9).then_some(element),
            length,
        })
    }

    /// None, if its records would be of no length: there would be no end of them.
    fn template(&self, fields: Vec<Field>) -> Option<Template> {
        let least = fields.iter().map(|field| field.length.least()).sum();
        (least != 0).then_some(Template {
            fields,
            is_options: self.is_options,
            least,
        })
    }
}
