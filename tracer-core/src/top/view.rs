//! What is shown of the model, and what keys do to it.

use std::sync::Arc;

use super::{
    column::{self, Column, Known},
    filter::Filter,
    hosts::{self, RowName, SORTS},
    keys::{Action, Key},
    list::Cursor,
    model::Model,
    seen::Seen,
};
use crate::{
    clock::Clock,
    hosts::{Row, arrange},
    record::Id,
};

/// Which table is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    #[default]
    Connections,
    Hosts,
}

/// What is shown in the place of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    #[default]
    Table,
    /// The selected row.
    Details,
    Help,
    /// What is degraded, lost or not covered.
    Limits,
}

/// What is shown.
#[derive(Debug)]
pub struct View {
    pub(super) tab: Tab,
    pub(super) page: Page,
    pub(super) sort: Column,
    /// Place in [`SORTS`].
    pub(super) sort_hosts: usize,
    pub(super) is_reversed: bool,
    pub(super) filter: Filter,
    pub(super) known: Known,
    pub(super) is_paused: bool,
    /// The first line that is seen of a page that is none of a table.
    pub(super) scrolled: usize,
    /// Rows that were seen last.
    pub(super) height: usize,
    /// Columns of the terminal that were seen last.
    pub(super) width: usize,
    /// Of what is shown: everything that was there when it was taken.
    taken: (Vec<Arc<Seen>>, Vec<Row>),
    pub(super) connections: Vec<Arc<Seen>>,
    pub(super) hosts: Vec<Row>,
    ids: Vec<Id>,
    names: Vec<RowName>,
    pub(super) at_connection: Cursor<Id>,
    pub(super) at_host: Cursor<RowName>,
    /// The row whose details are shown, as it was last.
    pub(super) opened: Option<Arc<Seen>>,
    pub(super) opened_host: Option<Row>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            tab: Tab::default(),
            page: Page::default(),
            sort: Column::Age,
            sort_hosts: 0,
            is_reversed: false,
            filter: Filter::default(),
            known: Known::default(),
            is_paused: false,
            scrolled: 0,
            height: 1,
            width: 80,
            taken: Default::default(),
            connections: Vec::new(),
            hosts: Vec::new(),
            ids: Vec::new(),
            names: Vec::new(),
            at_connection: Cursor::default(),
            at_host: Cursor::default(),
            opened: None,
            opened_host: None,
        }
    }
}

impl View {
    /// Takes from the model what is to be shown now, unless it is paused.
    pub fn refresh(&mut self, model: &Model) {
        if !self.is_paused {
            self.take(model);
        }
        self.arrange(model.clock());
    }

    fn take(&mut self, model: &Model) {
        self.known = model.known();
        match self.tab {
            Tab::Connections => self.taken.0 = model.connections(),
            Tab::Hosts => self.taken.1 = model.hosts(SORTS[self.sort_hosts].0),
        }
    }

    /// Filters and sorts what was taken.
    fn arrange(&mut self, clock: Option<&Clock>) {
        match self.tab {
            Tab::Connections => self.arrange_connections(),
            Tab::Hosts => self.arrange_hosts(clock),
        }
    }

    fn arrange_connections(&mut self) {
        let is_external = |seen: &Arc<Seen>| seen.is_external();
        let words = |seen: &Arc<Seen>| seen.words();
        self.connections = self.filter.of(self.taken.0.iter(), is_external, words);
        let sort = self.sort;
        self.connections
            .sort_unstable_by(|one, other| sort.compare(one, other));
        if self.is_reversed {
            self.connections.reverse();
        }
        // Listeners last, in their order.
        self.connections.sort_by_key(|seen| seen.is_listener());
        self.ids = self.connections.iter().map(|seen| seen.id()).collect();
        self.at_connection.find(&self.ids);
        self.reopen();
    }

    fn arrange_hosts(&mut self, clock: Option<&Clock>) {
        let words = |row: &Row| clock.map_or_else(String::new, |clock| hosts::words(row, clock));
        self.hosts = self
            .filter
            .of(self.taken.1.iter(), hosts::is_external, words);
        if self.is_reversed {
            self.hosts.reverse();
        }
        self.names = self.hosts.iter().map(RowName::from).collect();
        self.at_host.find(&self.names);
        self.reopen();
    }

    /// The details are those of the row that was opened, as long as that is there.
    fn reopen(&mut self) {
        if let Some(opened) = &mut self.opened {
            let newer = self.taken.0.iter().find(|seen| seen.id() == opened.id());
            if let Some(newer) = newer {
                *opened = newer.clone();
            }
        }
        if let Some(opened) = &mut self.opened_host {
            let name = RowName::from(&*opened);
            let newer = self.taken.1.iter().find(|row| RowName::from(*row) == name);
            if let Some(newer) = newer {
                *opened = newer.clone();
            }
        }
    }

    /// What a key does.
    pub fn on_key(&mut self, key: Key, model: &Model) -> Action {
        match key {
            Key::Ctrl('c') => return Action::Quit,
            Key::Ctrl('l') => return Action::Repaint,
            _ if self.filter.is_typed => return self.type_key(key, model),
            _ => {}
        }
        match (self.page, key) {
            (_, Key::Char('q')) => return Action::Quit,
            (_, Key::Char('?' | 'h')) => self.open(Page::Help),
            (_, Key::Char('d')) => self.open(Page::Limits),
            (_, Key::Char('p' | ' ')) => self.pause(model),
            (Page::Table, key) => return self.table_key(key, model),
            (_, Key::Esc | Key::Enter) => self.close(),
            (_, key) => return self.page_key(key),
        }
        Action::Draw
    }

    /// A key while the filter is typed.
    fn type_key(&mut self, key: Key, model: &Model) -> Action {
        match key {
            Key::Char(c) => self.filter.text.push(c),
            Key::Backspace => {
                self.filter.text.pop();
            }
            Key::Ctrl('u') => self.filter.text.clear(),
            Key::Enter => self.filter.is_typed = false,
            Key::Esc => {
                self.filter.is_typed = false;
                self.filter.text.clear();
            }
            other => return self.move_by(other),
        }
        self.arrange(model.clock());
        Action::Draw
    }

    fn table_key(&mut self, key: Key, model: &Model) -> Action {
        match key {
            Key::Tab => {
                self.tab = match self.tab {
                    Tab::Connections => Tab::Hosts,
                    Tab::Hosts => Tab::Connections,
                };
                self.refresh(model);
            }
            Key::Char('/') => self.filter.is_typed = true,
            Key::Esc => {
                self.filter.text.clear();
                self.arrange(model.clock());
            }
            Key::Char('x') => {
                self.filter.is_external_only = !self.filter.is_external_only;
                self.arrange(model.clock());
            }
            Key::Char('s' | '>') | Key::Right => self.sort_by(1, model),
            Key::Char('S' | '<') | Key::Left => self.sort_by(-1, model),
            Key::Char('r') => {
                self.is_reversed = !self.is_reversed;
                self.arrange(model.clock());
            }
            Key::Enter => self.open_row(),
            other => return self.move_by(other),
        }
        Action::Draw
    }

    /// A key while something is read.
    fn page_key(&mut self, key: Key) -> Action {
        let Some(by) = self.distance(key) else {
            return Action::Nothing;
        };
        // Drawing knows how much there is to read.
        self.scrolled = self.scrolled.saturating_add_signed(by);
        Action::Draw
    }

    /// How far a key goes.
    fn distance(&self, key: Key) -> Option<isize> {
        let page = isize::try_from(self.height.max(1)).unwrap_or(isize::MAX);
        Some(match key {
            Key::Up | Key::Char('k') => -1,
            Key::Down | Key::Char('j') => 1,
            Key::PageUp => -page,
            Key::PageDown => page,
            Key::Home | Key::Char('g') => isize::MIN,
            Key::End | Key::Char('G') => isize::MAX,
            _ => return None,
        })
    }

    fn move_by(&mut self, key: Key) -> Action {
        let Some(by) = self.distance(key) else {
            return Action::Nothing;
        };
        match self.tab {
            Tab::Connections => self.at_connection.go(by, &self.ids),
            Tab::Hosts => self.at_host.go(by, &self.names),
        }
        Action::Draw
    }

    fn sort_by(&mut self, by: isize, model: &Model) {
        match self.tab {
            Tab::Connections => {
                let columns = column::columns(self.known, self.width);
                let columns: Vec<Column> = columns
                    .into_iter()
                    .map(|(column, _)| column)
                    .filter(|column| *column != Column::Arrow)
                    .collect();
                let at = columns.iter().position(|column| *column == self.sort);
                let next = turn(at.unwrap_or_default(), by, columns.len());
                self.sort = columns.get(next).copied().unwrap_or(Column::Age);
                self.arrange(model.clock());
            }
            Tab::Hosts => {
                self.sort_hosts = turn(self.sort_hosts, by, SORTS.len());
                arrange(&mut self.taken.1, SORTS[self.sort_hosts].0);
                self.arrange(model.clock());
            }
        }
    }

    fn pause(&mut self, model: &Model) {
        self.is_paused = !self.is_paused;
        if self.is_paused {
            // The other table is of the same moment.
            self.taken = (model.connections(), model.hosts(SORTS[self.sort_hosts].0));
        }
        self.refresh(model);
    }

    fn open(&mut self, page: Page) {
        self.scrolled = 0;
        self.page = if self.page == page { Page::Table } else { page };
    }

    fn open_row(&mut self) {
        match self.tab {
            Tab::Connections => {
                self.opened = self.connections.get(self.at_connection.at()).cloned();
            }
            Tab::Hosts => {
                self.opened_host = self.hosts.get(self.at_host.at()).cloned();
            }
        }
        if self.opened.is_some() || self.opened_host.is_some() {
            self.open(Page::Details);
        }
    }

    fn close(&mut self) {
        self.page = Page::Table;
        self.opened = None;
        self.opened_host = None;
    }

    /// How many rows are shown, and of how many.
    pub(super) fn counts(&self) -> (usize, usize) {
        match self.tab {
            Tab::Connections => (self.connections.len(), self.taken.0.len()),
            Tab::Hosts => (self.hosts.len(), self.taken.1.len()),
        }
    }
}

/// The next place of a round, or the one before.
fn turn(at: usize, by: isize, count: usize) -> usize {
    let count = count.max(1);
    (at + count).saturating_add_signed(by) % count
}
