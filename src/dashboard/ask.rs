//! What the URL of a page or of the API asks for: all of a page's state stands there.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::problem::Problem;
use crate::{
    moment::rfc3339,
    traffic::{Range, RangeShown, RequestFilter},
};

/// The parameters of traffic, each as it was given. One that is not known is refused; an empty one was not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// `15m`, `24h`, `30d`: so long, up to now. Default: `24h`.
    pub(super) range: Option<String>,
    /// RFC 3339; both, in place of `range`.
    pub(super) from: Option<String>,
    /// RFC 3339; not included.
    pub(super) to: Option<String>,
    /// `0`: not compared with the time before.
    pub(super) cmp: Option<String>,
    /// Of this method.
    pub(super) method: Option<String>,
    /// `404`, or a class such as `5xx`.
    pub(super) status: Option<String>,
    /// Of this route, as the lists of routes spell it.
    pub(super) route: Option<String>,
    /// Of the user with this id.
    pub(super) user: Option<String>,
    /// What is searched for in names.
    pub(super) q: Option<String>,
    /// `1`: slow ones only.
    pub(super) slow: Option<String>,
    /// The key of the column that is sorted by.
    pub(super) sort: Option<String>,
    /// Behind the page that gave it, with the same stretch of time and order.
    pub(super) cursor: Option<String>,
    /// At most so many: 1 to 500.
    pub(super) limit: Option<String>,
    /// The id of a row: what comes behind it.
    pub(super) after: Option<String>,
    /// `local`: times are shown by the browser's clock.
    pub(super) tz: Option<String>,
    /// `csv`: one list of the page, as a file.
    pub(super) format: Option<String>,
    /// Which list.
    pub(super) panel: Option<String>,
    /// What a page of its own kind asks besides: its links keep it, those to other pages do not.
    pub(super) more: Vec<(&'static str, String)>,
}

impl Asked {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(field) = asked.field(&name) else {
                return Err(Problem::parameter(&name, "is not a parameter here"));
            };
            if field.is_some() {
                return Err(Problem::parameter(&name, "is given twice"));
            }
            if value.contains('\0') || value.len() > 2_048 {
                return Err(Problem::parameter(&name, "holds a NUL, or more than 2,048 bytes"));
            }
            *field = Some(value.into_owned());
        }
        for (_, field) in asked.fields_mut() {
            field.take_if(|value| value.is_empty());
        }
        Ok(asked)
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        self.fields_mut().into_iter().find_map(|(field, value)| (field == name).then_some(value))
    }

    /// The parameters that were given.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let mut asked = self.clone();
        asked.fields_mut().into_iter().filter_map(|(name, value)| value.as_ref().map(|_| name)).collect()
    }

    fn fields_mut(&mut self) -> [(&'static str, &mut Option<String>); 17] {
        let Self {
            range,
            from,
            to,
            cmp,
            method,
            status,
            route,
            user,
            q,
            slow,
            sort,
            cursor,
            limit,
            after,
            tz,
            format,
            panel,
            more: _,
        } = self;
        [
            ("range", range),
            ("from", from),
            ("to", to),
            ("cmp", cmp),
            ("method", method),
            ("status", status),
            ("route", route),
            ("user", user),
            ("q", q),
            ("slow", slow),
            ("sort", sort),
            ("cursor", cursor),
            ("limit", limit),
            ("after", after),
            ("tz", tz),
            ("format", format),
            ("panel", panel),
        ]
    }

    /// As the query of a link, with its question mark; empty when nothing is asked.
    pub(super) fn query(&self) -> String {
        let mut asked = self.clone();
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in asked.fields_mut() {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.extend_pairs(&self.more);
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// The next page of a list, which is one of the same moments: `24h` would be others by then.
    pub(super) fn next(&self, cursor: String, range: &RangeShown) -> Self {
        let (from, to) = (rfc3339(range.from).ok(), rfc3339(range.to).ok());
        Self { range: None, from, to, cursor: Some(cursor), ..self.clone() }
    }

    /// The same with one parameter changed, or without it; what belongs to the page that is shown is gone.
    pub(super) fn with(&self, name: &str, value: Option<&str>) -> Self {
        let mut asked = Self { cursor: None, after: None, format: None, panel: None, ..self.clone() };
        // A stretch is told in one way or the other.
        match name {
            "range" => (asked.from, asked.to) = (None, None),
            "from" | "to" => asked.range = None,
            _ => {}
        }
        if let Some(field) = asked.field(name) {
            *field = value.map(str::to_owned);
        }
        asked
    }

    /// One of them, by its name.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.clone().field(name).and_then(Option::take)
    }

    /// What a form sends along that asks for something else: all that is given but these.
    pub(super) fn others(&self, names: &[&str]) -> Vec<(&'static str, String)> {
        let mut asked = self.with("cursor", None);
        let given = asked.fields_mut().into_iter().filter(|(name, _)| !names.contains(name));
        let given = given.filter_map(|(name, value)| Some((name, value.clone()?)));
        given.chain(self.more.iter().filter(|(name, _)| !names.contains(name)).cloned()).collect()
    }

    /// The filters on single requests, as a query without its question mark.
    pub(super) fn filters(&self) -> String {
        let Self { method, status, route, user, slow, .. } = self.clone();
        Self { method, status, route, user, slow, ..Self::default() }.query().trim_start_matches('?').to_owned()
    }

    /// Only what holds on every page: the stretch of time, and how it is shown.
    pub(super) fn everywhere(&self) -> Self {
        let Self { range, from, to, cmp, tz, .. } = self.clone();
        Self { range, from, to, cmp, tz, ..Self::default() }
    }
}

/// The same, understood.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) asked: Asked,
    pub(super) range: Range,
    pub(super) compare: bool,
    pub(super) filter: RequestFilter,
    pub(super) limit: Option<u32>,
    pub(super) after: Option<i64>,
}

/// The stretches that are offered.
pub(super) const RANGES: [&str; 5] = ["15m", "1h", "24h", "7d", "30d"];
/// That of a URL without any.
pub(super) const USUAL_RANGE: &str = "24h";

impl Ask {
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        let asked = Asked::read(query)?;
        let compare = flag("cmp", asked.cmp.as_deref())?.unwrap_or(true);
        let range = range(&asked)?;
        let mut filter = RequestFilter::new();
        filter.method.clone_from(&asked.method);
        filter.route.clone_from(&asked.route);
        filter.user_id.clone_from(&asked.user);
        filter.slow = flag("slow", asked.slow.as_deref())?.filter(|slow| *slow);
        if let Some(status) = &asked.status {
            filter = filter.status(status)?;
        }
        let limit = number("limit", asked.limit.as_deref())?;
        let after = number("after", asked.after.as_deref())?;
        if !matches!(asked.tz.as_deref(), None | Some("utc" | "local")) {
            return Err(Problem::parameter("tz", "must be `utc` or `local`"));
        }
        if !matches!(asked.format.as_deref(), None | Some("csv")) {
            return Err(Problem::parameter("format", "must be `csv`"));
        }
        Ok(Self { asked, range, compare, filter, limit, after })
    }
}

fn range(asked: &Asked) -> Result<Range, Problem> {
    match (&asked.range, &asked.from, &asked.to) {
        (range, None, None) => {
            let duration = duration(range.as_deref().unwrap_or(USUAL_RANGE));
            let wrong = || Problem::parameter("range", "must be minutes, hours or days, such as `15m`, `24h` or `30d`");
            Ok(Range::last(duration.ok_or_else(wrong)?)?)
        }
        (None, Some(from), Some(to)) => Ok(Range::new(moment("from", from)?, moment("to", to)?)?),
        (Some(_), ..) => Err(Problem::parameter("range", "cannot be given together with `from` and `to`")),
        (_, None, _) => Err(Problem::parameter("from", "is needed with `to`")),
        _ => Err(Problem::parameter("to", "is needed with `from`")),
    }
}

pub(super) fn moment(name: &str, text: &str) -> Result<OffsetDateTime, Problem> {
    // What a form gives has no zone, and no seconds where they are none: it is UTC.
    let local = |text: &str| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339);
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| local(text))
        .or_else(|_| local(&format!("{text}:00")))
        .map_err(|_| Problem::parameter(name, "must be a time such as `2026-05-07T12:00:00Z`"))
}

pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

fn flag(name: &str, text: Option<&str>) -> Result<Option<bool>, Problem> {
    match text {
        None => Ok(None),
        Some("1" | "true") => Ok(Some(true)),
        Some("0" | "false") => Ok(Some(false)),
        Some(_) => Err(Problem::parameter(name, "must be `1` or `0`")),
    }
}

pub(super) fn number<N: std::str::FromStr>(name: &str, text: Option<&str>) -> Result<Option<N>, Problem> {
    text.map(|text| text.parse().map_err(|_| Problem::parameter(name, "must be a number"))).transpose()
}

impl<S: Sync> FromRequestParts<S> for Ask {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(parts.uri.query().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_it_all_and_comes_back() {
        let ask = Ask::read("range=7d&status=5xx&route=%2Fa%3Fb&cmp=0&limit=20&q=").unwrap();
        assert_eq!((ask.compare, ask.limit, ask.filter.status_from), (false, Some(20), Some(500)));
        assert_eq!(ask.filter.route.as_deref(), Some("/a?b"));
        assert_eq!(ask.asked.query(), "?range=7d&cmp=0&status=5xx&route=%2Fa%3Fb&limit=20");
        assert_eq!(ask.asked.with("status", None).query(), "?range=7d&cmp=0&route=%2Fa%3Fb&limit=20");
        assert_eq!(Ask::read("").unwrap().asked.query(), "");
        let more = Asked { more: vec![("actor", "a b".to_owned())], ..Asked::default() };
        assert_eq!(more.with("tz", Some("local")).query(), "?tz=local&actor=a+b");
        assert_eq!(more.others(&["tz"]), more.more);
        assert_eq!(more.everywhere().query(), "");
        let form = Ask::read("from=2026-05-07T12:00&to=2026-05-07T13:00:01").unwrap();
        let zoned = Ask::read("from=2026-05-07T12:00:00Z&to=2026-05-07T15:00:01%2B02:00").unwrap();
        assert_eq!(form.range, zoned.range);
        assert_eq!(ask.asked.others(&["range", "status"]).len(), 3);
        let between = Ask::read("from=2026-05-07T12:00:00Z&to=2026-05-07T13:00:00%2B00:00").unwrap();
        assert_eq!(between.asked.with("range", Some("1h")).query(), "?range=1h");
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (query, name) in [
            ("rnage=7d", "rnage"),
            ("range=7d&range=7d", "range"),
            ("range=7", "range"),
            ("range=-7d", "range"),
            ("range=0d", "range"),
            ("range=%F0%9F%98%80", "range"),
            ("range=9999999d", "from"),
            ("range=7d&from=2026-05-07T12:00:00Z&to=2026-05-07T13:00:00Z", "range"),
            ("from=2026-05-07T12:00:00Z", "to"),
            ("to=2026-05-07T12:00:00Z", "from"),
            ("from=yesterday&to=today", "from"),
            ("status=99", "status"),
            ("status=5yx", "status"),
            ("cmp=maybe", "cmp"),
            ("limit=ten", "limit"),
            ("after=1.5", "after"),
            ("tz=Mars", "tz"),
            ("format=pdf", "format"),
            ("q=%00", "q"),
        ] {
            let problem = Ask::read(query).unwrap_err();
            assert!(problem.detail().contains(&format!("`{name}`")), "{query}: {}", problem.detail());
        }
    }
}
