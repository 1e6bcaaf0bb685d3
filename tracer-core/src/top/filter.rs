//! Which rows are shown.

/// Which rows are shown.
#[derive(Debug, Default)]
pub struct Filter {
    /// The words that a row must have, all of them, in whatever case.
    pub text: String,
    /// It is being typed.
    pub is_typed: bool,
    /// Only what is about external addresses.
    pub is_external_only: bool,
}

impl Filter {
    /// What of a list is shown.
    pub fn of<'a, T: Clone + 'a>(
        &self,
        all: impl Iterator<Item = &'a T>,
        is_external: impl Fn(&T) -> bool,
        words: impl Fn(&T) -> String,
    ) -> Vec<T> {
        let wanted = self.text.split_whitespace().map(str::to_lowercase);
        let wanted: Vec<String> = wanted.collect();
        let has_all = |one: &T| {
            let words = words(one);
            wanted.iter().all(|word| words.contains(word))
        };
        all.filter(|one| !self.is_external_only || is_external(one))
            .filter(|one| wanted.is_empty() || has_all(one))
            .cloned()
            .collect()
    }
}
