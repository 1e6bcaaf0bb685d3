//! Drawing: the status that is never hidden, the table or what is read in its place, and a line for keys.

use super::{
    details::{self, Line},
    hosts,
    model::Model,
    view::{Page, Tab, View},
};
use crate::{discovery::Severity, format::cut::Cut, text::printable};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

/// What the terminal can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// With colours.
    pub is_coloured: bool,
    /// With bold, dim and reversed text.
    pub has_attributes: bool,
}

impl Look {
    pub(super) fn style(self, colour: Option<Color>, modifier: Modifier) -> Style {
        let mut style = Style::new();
        if self.has_attributes {
            style = style.add_modifier(modifier);
        }
        match colour {
            Some(colour) if self.is_coloured => style.fg(colour),
            _ => style,
        }
    }

    pub(super) fn plain(self) -> Style {
        self.style(None, Modifier::empty())
    }

    pub(super) fn bold(self) -> Style {
        self.style(None, Modifier::BOLD)
    }

    pub(super) fn dim(self) -> Style {
        self.style(None, Modifier::DIM)
    }

    fn alarm(self) -> Style {
        self.style(Some(Color::Red), Modifier::BOLD | Modifier::REVERSED)
    }

    /// What meets an indicator, also when it has ended.
    pub(super) fn threat(self) -> Style {
        self.style(Some(Color::Red), Modifier::BOLD)
    }

    fn warning(self) -> Style {
        self.style(Some(Color::Yellow), Modifier::BOLD)
    }

    pub(super) fn selected(self, style: Style) -> Style {
        if self.has_attributes {
            style.add_modifier(Modifier::REVERSED)
        } else {
            style
        }
    }
}

/// Where things are drawn. The status is the last to go where there is little room.
struct Places {
    status: Option<Rect>,
    head: Option<Rect>,
    what: Option<Rect>,
    keys: Option<Rect>,
    body: Rect,
}

impl Places {
    fn of(area: Rect) -> Self {
        let line = |y: u16| Rect::new(area.x, area.y + y, area.width, 1);
        let height = area.height;
        // Each comes when there is room for one more line.
        let (has_head, has_what, has_keys) = (height >= 6, height >= 5, height >= 4);
        let above = 1 + u16::from(has_head) + u16::from(has_what);
        let below = u16::from(has_keys);
        let body = height.saturating_sub(above + below);
        Self {
            head: has_head.then(|| line(0)),
            status: (height > 0).then(|| line(u16::from(has_head))),
            what: has_what.then(|| line(1 + u16::from(has_head))),
            keys: has_keys.then(|| line(height - 1)),
            body: Rect::new(area.x, area.y + above.min(height), area.width, body),
        }
    }
}

/// A line that is written from the left.
pub(super) struct Pen<'a> {
    pub buffer: &'a mut Buffer,
    pub at: Rect,
}

impl Pen<'_> {
    pub fn write(&mut self, text: &str, style: Style) {
        let room = usize::from(self.at.width);
        let (end, _) = self
            .buffer
            .set_stringn(self.at.x, self.at.y, text, room, style);
        let used = end.saturating_sub(self.at.x);
        self.at.x = end;
        self.at.width = self.at.width.saturating_sub(used);
    }
}

impl View {
    /// Draws everything. `now_ns`: nanoseconds since boot.
    pub fn draw(&mut self, buffer: &mut Buffer, model: &Model, now_ns: u64, look: Look) {
        let area = *buffer.area();
        let places = Places::of(area);
        self.width = usize::from(area.width.saturating_sub(1));
        let mut pen = |at: Option<Rect>, draw: &dyn Fn(&mut Pen<'_>)| {
            if let Some(at) = at {
                draw(&mut Pen { buffer, at });
            }
        };
        pen(places.head, &|pen| head(pen, model, now_ns, look));
        pen(places.status, &|pen| self.status(pen, model, look));
        pen(places.what, &|pen| self.what(pen, model, look));
        pen(places.keys, &|pen| self.keys(pen, look));
        match self.page {
            Page::Table => self.table(buffer, places.body, model, now_ns, look),
            Page::Help => {
                let lines = details::of_keys(self.width);
                self.lines(buffer, places.body, &lines, look);
            }
            Page::Limits => {
                let lines = details::of_limits(model.status(), self.width);
                self.lines(buffer, places.body, &lines, look);
            }
            Page::Details => {
                let lines = self.details(model, now_ns);
                self.lines(buffer, places.body, &lines, look);
            }
        }
    }

    /// What is never hidden.
    fn status(&self, pen: &mut Pen<'_>, model: &Model, look: Look) {
        let status = model.status();
        match status.loss() {
            Some(loss) => pen.write(&format!("LOSS {loss}"), look.alarm()),
            None => pen.write("no loss", look.dim()),
        }
        if self.is_paused {
            pen.write("  ", look.plain());
            pen.write(
                "PAUSED",
                look.style(None, Modifier::BOLD | Modifier::REVERSED),
            );
        }
        if model.not_kept() > 0 {
            let text = format!("  NOT SHOWN {} (too many are open)", model.not_kept());
            pen.write(&text, look.alarm());
        }
        match status.limits() {
            0 => pen.write("  not degraded", look.dim()),
            count => pen.write(&format!("  DEGRADED {count} (d)"), look.warning()),
        }
        match status.messages.len() {
            0 => {}
            count => pen.write(&format!("  {count} said (d)"), look.warning()),
        }
        if let Some(text) = status.met() {
            pen.write("  ", look.plain());
            pen.write(&text, look.alarm());
        }
        if let Some((worst, text)) = status.discovery() {
            let style = match worst {
                Severity::High => look.alarm(),
                Severity::Medium => look.warning(),
                Severity::Low | Severity::Info => look.bold(),
            };
            pen.write("  ", look.plain());
            pen.write(&text, style);
        }
        if !status.is_surveyed {
            pen.write("  looking for what is open...", look.dim());
        }
    }

    /// Which table it is, in which order, and what of it.
    fn what(&self, pen: &mut Pen<'_>, model: &Model, look: Look) {
        let mut tab = |name: &str, is_it: bool| {
            if is_it {
                pen.write(&format!("[{name}]"), look.bold());
            } else {
                pen.write(&format!(" {name} "), look.dim());
            }
        };
        tab("connections", self.tab == Tab::Connections);
        tab("hosts", self.tab == Tab::Hosts);
        let order = match self.tab {
            Tab::Connections => self.sort.title().to_lowercase(),
            Tab::Hosts => hosts::SORTS[self.sort_hosts].1.to_owned(),
        };
        let reversed = if self.is_reversed { ", reversed" } else { "" };
        pen.write(&format!("  by {order}{reversed}"), look.plain());
        let (shown, all) = self.counts();
        if shown != all {
            pen.write(&format!("  {shown} of {all}"), look.bold());
        }
        let mut words = Vec::new();
        if !self.filter.text.is_empty() && !self.filter.is_typed {
            words.push(format!("/{}", printable(&self.filter.text)));
        }
        if self.filter.is_external_only {
            words.push("external only".to_owned());
        }
        let selection = model.selection();
        words.extend(selection.iter().map(|flag| printable(flag)));
        if words.is_empty() {
            words.push("all".to_owned());
        }
        pen.write(&format!("  {}", words.join("  ")), look.plain());
    }

    fn keys(&self, pen: &mut Pen<'_>, look: Look) {
        if self.filter.is_typed {
            // What is being typed is seen, however long it is.
            let room = usize::from(pen.at.width).saturating_sub(2);
            let text = Cut::Beginning.apply(&printable(&self.filter.text), room);
            pen.write(&format!("/{text}"), look.bold());
            pen.write("_", look.selected(look.plain()));
            return;
        }
        let keys = match self.page {
            Page::Table => {
                "Enter details  Tab table  / filter  s sort  x external  p pause  ? help  q quit"
            }
            _ => "Esc back  Up Down PgUp PgDn scroll  ? help  q quit",
        };
        pen.write(keys, look.dim());
    }

    fn details(&self, model: &Model, now_ns: u64) -> Vec<Line> {
        let Some(clock) = model.clock() else {
            return Vec::new();
        };
        match (&self.opened, &self.opened_host) {
            (Some(seen), _) => details::of_connection(seen, clock, now_ns, self.width),
            (None, Some(row)) => details::of_row(row, clock, self.width),
            (None, None) => Vec::new(),
        }
    }

    /// What is read.
    fn lines(&mut self, buffer: &mut Buffer, at: Rect, lines: &[Line], look: Look) {
        self.height = usize::from(at.height);
        self.scrolled = self.scrolled.min(lines.len().saturating_sub(self.height));
        for (line, y) in lines.iter().skip(self.scrolled).zip(at.top()..at.bottom()) {
            let style = if line.is_title {
                look.bold()
            } else {
                look.plain()
            };
            buffer.set_stringn(at.x, y, &line.text, usize::from(at.width), style);
        }
    }
}

/// Whose it is, and how much.
fn head(pen: &mut Pen<'_>, model: &Model, now_ns: u64, look: Look) {
    let status = model.status();
    pen.write("conntracer top", look.bold());
    pen.write(&format!("  {}", printable(&status.host)), look.plain());
    let numbers = format!(
        "  {} open  {} new/s  {} listening",
        model.open(),
        status.rate(now_ns),
        model.listeners()
    );
    pen.write(&numbers, look.plain());
}
