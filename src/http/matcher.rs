//! Which exchanges are meant.

use std::{fmt, sync::Arc};

use regex::Regex;

/// Says which exchanges are meant: by exact text, by what it begins with (`/api/*`), by a [`Regex`], or by a function.
///
/// Each is tried on the route's pattern, on the path, and on the path with its query as it was received; one is enough. A regex that
/// is not anchored finds its match anywhere, also in a query that the client made up.
///
/// ```
/// use tracevault::{http::Matcher, regex::Regex};
///
/// let matchers = [
///     Matcher::from("/health"),
///     Matcher::from("/api/*"),
///     Matcher::from(Regex::new(r"^/v[0-9]+/")?),
///     Matcher::from(|text: &str| text.starts_with("/logo")),
/// ];
/// for path in ["/health", "/api/users", "/v2/users", "/logo.png"] {
///     assert!(matchers.iter().any(|matcher| matcher.matches(None, path, path)), "{path}");
/// }
/// assert!(!matchers.iter().any(|matcher| matcher.matches(None, "/apis", "/apis")));
/// # Ok::<(), tracevault::regex::Error>(())
/// ```
#[derive(Clone)]
pub struct Matcher(Form);

#[derive(Clone)]
enum Form {
    Exact(Box<str>),
    Prefix(Box<str>),
    Regex(Regex),
    Function(Arc<dyn Fn(&str) -> bool + Send + Sync>),
    OfAll(Arc<dyn Fn(&Forms<'_>) -> bool + Send + Sync>),
}

/// What a request is known by, for [`Matcher::of_all`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Forms<'f> {
    /// The pattern of its route, where one matched.
    pub route: Option<&'f str>,
    /// Its path, as it was received.
    pub path: &'f str,
    /// The same, with the query.
    pub url: &'f str,
}

impl Matcher {
    /// A function of all the forms of a request, asked once for each exchange.
    ///
    /// ```
    /// use tracevault::http::Matcher;
    ///
    /// let unmatched = Matcher::of_all(|forms| forms.route.is_none() && forms.path != "/");
    /// assert!(unmatched.matches(None, "/wp-login.php", "/wp-login.php?a=1"));
    /// assert!(!unmatched.matches(Some("/a/{id}"), "/a/7", "/a/7"));
    /// ```
    pub fn of_all(function: impl Fn(&Forms<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Form::OfAll(Arc::new(function)))
    }

    /// Whether it matches any of the three.
    pub fn matches(&self, route: Option<&str>, path: &str, url: &str) -> bool {
        let any = |meant: &dyn Fn(&str) -> bool| route.is_some_and(meant) || meant(path) || (url != path && meant(url));
        match &self.0 {
            Form::Exact(exact) => any(&|text| **exact == *text),
            Form::Prefix(prefix) => any(&|text| text.starts_with(&**prefix)),
            Form::Regex(regex) => any(&|text| regex.is_match(text)),
            Form::Function(function) => any(&**function),
            Form::OfAll(function) => function(&Forms { route, path, url }),
        }
    }
}

/// Text that ends in `*` stands for all that begins with what is before it.
impl From<&str> for Matcher {
    fn from(text: &str) -> Self {
        Self(match text.strip_suffix('*') {
            Some(prefix) => Form::Prefix(prefix.into()),
            None => Form::Exact(text.into()),
        })
    }
}

impl From<String> for Matcher {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}

impl From<Regex> for Matcher {
    fn from(regex: Regex) -> Self {
        Self(Form::Regex(regex))
    }
}

/// It is asked up to three times for one exchange.
impl<F: Fn(&str) -> bool + Send + Sync + 'static> From<F> for Matcher {
    fn from(function: F) -> Self {
        Self(Form::Function(Arc::new(function)))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Exact(exact) => write!(f, "Matcher({exact})"),
            Form::Prefix(prefix) => write!(f, "Matcher({prefix}*)"),
            Form::Regex(regex) => write!(f, "Matcher(/{regex}/)"),
            Form::Function(_) | Form::OfAll(_) => f.write_str("Matcher(a function)"),
        }
    }
}
