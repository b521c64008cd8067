//! Who may look, and at what.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use constant_time_eq::constant_time_eq;
use http::{header, request::Parts};

/// What a viewer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Look, but not take lists away: no export.
    ReadOnly,
    /// Everything.
    Full,
}

/// Somebody who may look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Who it is: the actor of the audit events that tell of their looking.
    pub name: String,
    /// What they may do.
    pub access: Access,
}

impl Viewer {
    /// Who may do everything.
    pub fn full(name: impl Into<String>) -> Self {
        Self { name: name.into(), access: Access::Full }
    }

    /// Who may look.
    pub fn read_only(name: impl Into<String>) -> Self {
        Self { name: name.into(), access: Access::ReadOnly }
    }
}

/// Decides by the head of a request who looks; nobody: they may not.
pub(super) type Authorizer = Arc<dyn Fn(&Parts) -> Option<Viewer> + Send + Sync>;

/// How viewers are told apart.
#[derive(Clone)]
pub(super) enum Auth {
    /// One name and one password.
    Basic { user: String, password: String },
    /// As the app says.
    Custom(Authorizer),
    /// Nobody is asked. The hosts that may be named are those of this machine.
    Nobody,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic",
            Self::Custom(_) => "Custom",
            Self::Nobody => "Nobody",
        })
    }
}

impl Auth {
    pub(super) fn viewer(&self, parts: &Parts) -> Option<Viewer> {
        match self {
            Self::Basic { user, password } => {
                let (given_user, given_password) = credentials(parts)?;
                // Both are compared, whatever the first says: how long it takes tells nothing.
                let user_is = constant_time_eq(given_user.as_bytes(), user.as_bytes());
                let password_is = constant_time_eq(given_password.as_bytes(), password.as_bytes());
                (user_is & password_is).then(|| Viewer::full(user.clone()))
            }
            Self::Custom(authorize) => authorize(parts),
            Self::Nobody => Some(Viewer::full("anonymous")),
        }
    }
}

/// RFC 7617: the user has no colon, the password may.
fn credentials(parts: &Parts) -> Option<(String, String)> {
    let mut given = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (first, None) = (given.next()?, given.next()) else { return None };
    let (scheme, encoded) = first.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(header: Option<&str>) -> Option<Viewer> {
        let auth = Auth::Basic { user: "admin".to_owned(), password: "pass:word".to_owned() };
        let mut request = http::Request::new(());
        if let Some(header) = header {
            request.headers_mut().insert(header::AUTHORIZATION, header.parse().unwrap());
        }
        auth.viewer(&request.into_parts().0)
    }

    #[test]
    fn only_the_very_credentials_pass() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(viewer(Some(&basic("admin:pass:word"))), Some(Viewer::full("admin")));
        assert_eq!(viewer(Some(&basic("admin:pass:word").replace("Basic", "bAsIc"))), Some(Viewer::full("admin")));
        for wrong in ["admin:pass", "admin:pass:word ", "Admin:pass:word", ":pass:word", "admin", "", "admin:"] {
            assert_eq!(viewer(Some(&basic(wrong))), None, "{wrong}");
        }
        for wrong in ["", "Basic", "Basic ", "Basic !!!", "Bearer YWRtaW46cGFzczp3b3Jk", "YWRtaW46cGFzczp3b3Jk"] {
            assert_eq!(viewer(Some(wrong)), None, "{wrong}");
        }
        assert_eq!(viewer(None), None);
    }
}
