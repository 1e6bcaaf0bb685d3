//! Who looks at connections in ordinary work.

use serde::Deserialize;

use super::Globs;

/// Some of those who may. All that is given must fit; something is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Given")]
pub struct Allowed {
    given: Given,
}

/// What an entry says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Given {
    exe: Option<Globs>,
    user: Option<Globs>,
    image: Option<Globs>,
}

impl TryFrom<Given> for Allowed {
    type Error = &'static str;

    fn try_from(given: Given) -> Result<Self, Self::Error> {
        if given == Given::default() {
            return Err("an entry of allow_list has at least one of `exe`, `user` and `image`");
        }
        Ok(Self { given })
    }
}

impl Allowed {
    /// Whether somebody is one of them: by the path of the executable, the name or the number of the user,
    /// and the image of the container. What is asked for and not known does not fit.
    #[must_use]
    pub fn fits(
        &self,
        exe: Option<&str>,
        user: Option<&str>,
        uid: Option<u32>,
        image: Option<&str>,
    ) -> bool {
        let Given {
            exe: exes,
            user: users,
            image: images,
        } = &self.given;
        let number = uid.map(|uid| uid.to_string());
        is_asked(exes.as_ref(), &[exe])
            && is_asked(users.as_ref(), &[user, number.as_deref()])
            && is_asked(images.as_ref(), &[image])
    }
}

/// Whether one of these texts is asked for, or nothing is.
fn is_asked(globs: Option<&Globs>, texts: &[Option<&str>]) -> bool {
    let fit = |globs: &Globs| texts.iter().flatten().any(|text| globs.fit(text));
    globs.is_none_or(fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(value: serde_json::Value) -> Result<Allowed, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn all_that_is_given_must_fit() {
        let value = serde_json::json!({"exe": ["/opt/agent/*"], "user": ["agent", "99*"]});
        let entry = allowed(value).unwrap();
        let exe = Some("/opt/agent/bin/run");
        assert!(entry.fits(exe, Some("agent"), None, None));
        assert!(entry.fits(exe, None, Some(998), Some("any")));
        assert!(!entry.fits(exe, Some("root"), Some(0), None));
        assert!(!entry.fits(exe, None, None, None));
        assert!(!entry.fits(Some("/tmp/opt/agent/run"), Some("agent"), None, None));
        assert!(!entry.fits(None, Some("agent"), None, None));
    }

    #[test]
    fn an_image_is_of_a_container() {
        let entry = allowed(serde_json::json!({"image": ["registry.example/exporter:*"]})).unwrap();
        assert!(entry.fits(None, None, None, Some("registry.example/exporter:2")));
        assert!(!entry.fits(Some("/exporter"), Some("root"), Some(0), None));
    }

    #[test]
    fn an_entry_says_something_and_nothing_else() {
        let error = allowed(serde_json::json!({})).unwrap_err();
        assert!(
            error.contains("at least one of `exe`, `user` and `image`"),
            "{error}"
        );
        let error = allowed(serde_json::json!({"path": ["/x"]})).unwrap_err();
        assert!(error.contains("unknown field `path`"), "{error}");
    }
}
