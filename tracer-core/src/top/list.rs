//! Where one is in a list whose rows come, go and change places.

/// The selected row and the part of the list that is seen.
#[derive(Clone, Debug)]
pub struct Cursor<K> {
    /// What names the selected row; `None`: whichever is the first.
    selected: Option<K>,
    at: usize,
    first: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self {
            selected: None,
            at: 0,
            first: 0,
        }
    }
}

impl<K: PartialEq + Clone> Cursor<K> {
    /// Place of the selected row.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first row that is seen.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Selects the row so many places further on, or back. From as far back as can be, it stays with
    /// whichever row is the first.
    pub fn go(&mut self, by: isize, rows: &[K]) {
        let last = rows.len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
        self.selected = rows.get(self.at).filter(|_| by != isize::MIN).cloned();
    }

    /// Finds the selected row again among what is there now. If it is gone, that in its place is selected.
    pub fn find(&mut self, rows: &[K]) {
        let Some(selected) = &self.selected else {
            self.at = 0;
            return;
        };
        if let Some(at) = rows.iter().position(|row| row == selected) {
            self.at = at;
        } else {
            self.go(0, rows);
        }
    }

    /// Moves what is seen, so that the selected row is among it, or would be if there were room for any.
    pub fn scroll(&mut self, count: usize, page: usize) {
        let page = page.max(1);
        let most = count.saturating_sub(page);
        let least = (self.at + 1).saturating_sub(page);
        self.first = self.first.min(self.at).max(least).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_row_is_followed_wherever_it_goes() {
        let mut cursor = Cursor::default();
        cursor.go(1, &["a", "b", "c"]);
        cursor.find(&["x", "y", "a", "b"]);
        assert_eq!(cursor.at(), 3);
        cursor.scroll(4, 2);
        assert_eq!(cursor.first(), 2);
        cursor.find(&["x"]);
        assert_eq!(cursor.at(), 0);
    }

    #[test]
    fn what_is_not_selected_stays_at_the_top() {
        let mut cursor = Cursor::default();
        cursor.find(&["a"]);
        cursor.find(&["new", "a"]);
        assert_eq!(cursor.at(), 0);
    }

    #[test]
    fn it_does_not_leave_the_list() {
        let mut cursor = Cursor::default();
        cursor.go(-1, &["a", "b"]);
        assert_eq!(cursor.at(), 0);
        cursor.go(isize::MAX, &["a", "b"]);
        assert_eq!(cursor.at(), 1);
        cursor.go(1, &[] as &[&str]);
        assert_eq!(cursor.at(), 0);
    }
}
