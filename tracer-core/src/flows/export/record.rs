//! Records, by their templates.

use std::net::IpAddr;

use super::{
    bytes::{Bytes, unsigned},
    element::Element,
    template::{Field, Length, Template},
};

/// The first byte of a length that the two behind it tell (RFC 7011, 7).
const LONG: u8 = 255;

/// A record: the values of its template's fields.
#[derive(Debug)]
pub(super) struct Record<'a> {
    template: &'a Template,
    values: Vec<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// Takes one off the front.
    pub fn take(bytes: &mut Bytes<'a>, template: &'a Template) -> Option<Self> {
        let mut left = *bytes;
        let values = template.fields.iter().map(|field| value(&mut left, *field));
        let values = values.collect::<Option<_>>()?;
        *bytes = left;
        Some(Self { template, values })
    }

    /// Whether it has a field.
    pub fn has(&self, element: Element) -> bool {
        self.value(element).is_some()
    }

    /// Of a field that occurs twice, the first.
    pub fn value(&self, element: Element) -> Option<&'a [u8]> {
        let mut fields = self.template.fields.iter();
        let at = fields.position(|field| field.element == Some(element))?;
        self.values.get(at).copied()
    }

    /// A number.
    pub fn number(&self, element: Element) -> Option<u64> {
        unsigned(self.value(element)?)
    }

    /// A number of elements that write zero for none.
    pub fn some(&self, element: Element) -> Option<u64> {
        self.number(element).filter(|number| *number != 0)
    }

    /// The first of several elements that tell the same.
    pub fn any(&self, elements: &[Element]) -> Option<u64> {
        elements.iter().find_map(|element| self.number(*element))
    }

    /// A number of two bytes.
    pub fn u16(&self, element: Element) -> Option<u16> {
        u16::try_from(self.number(element)?).ok()
    }

    /// A number of one byte.
    pub fn u8(&self, element: Element) -> Option<u8> {
        u8::try_from(self.number(element)?).ok()
    }

    /// An address.
    pub fn ip(&self, element: Element) -> Option<IpAddr> {
        let value = self.value(element)?;
        let v4 = || <[u8; 4]>::try_from(value).map(IpAddr::from).ok();
        let v6 = || <[u8; 16]>::try_from(value).map(IpAddr::from).ok();
        v4().or_else(v6)
    }

    /// A text. Of a fixed length it is filled up with zeros.
    pub fn text(&self, element: Element) -> Option<String> {
        let value = self.value(element)?;
        let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(text).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

fn value<'a>(bytes: &mut Bytes<'a>, field: Field) -> Option<&'a [u8]> {
    let length = match field.length {
        Length::Fixed(length) => length,
        Length::Variable => match bytes.u8()? {
            LONG => bytes.u16()?,
            length => u16::from(length),
        },
    };
    bytes.take(usize::from(length))
}
