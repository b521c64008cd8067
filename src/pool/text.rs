//! A connection string taken apart, as libpq reads it: a `postgres://` URL, or `key=value` pairs.

/// Keys and values in their order, decoded and unquoted.
pub(super) type Pairs = Vec<(String, String)>;

const NEITHER: &str = "is not a `postgres://` URL or a list of `key=value` pairs";

/// Takes it apart. A reason never quotes the text, which holds a password.
pub(super) fn pairs(text: &str) -> Result<Pairs, &'static str> {
    let text = text.trim();
    match text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
        Some(rest) => url(rest),
        None => keywords(text),
    }
}

fn url(rest: &str) -> Result<Pairs, &'static str> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    if !authority.contains('@') && rest.contains('@') {
        // A `/` or `?` in the password would make a part of it the database's name, or a key to be named in an error.
        return Err("has an `@` behind the host: in a user name or a password, write `/` as `%2F`, `?` as `%3F`, \
             `#` as `%23`, `%` as `%25`; elsewhere `@` as `%40`");
    }
    let mut pairs = Pairs::new();
    let mut give = |key: &str, value: &str| -> Result<(), &'static str> {
        pairs.push((key.to_owned(), decoded(value)?));
        Ok(())
    };
    // The last one, so that an `@` of the password may stand as it is.
    let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = credentials.split_once(':').map_or((credentials, None), |(user, word)| (user, Some(word)));
    if !user.is_empty() {
        give("user", user)?;
    }
    if let Some(password) = password {
        give("password", password)?;
    }
    let (hosts, ports) = hosts_and_ports(hosts)?;
    if !hosts.is_empty() {
        give("host", &hosts)?;
    }
    if !ports.is_empty() {
        give("port", &ports)?;
    }
    if !database.is_empty() {
        give("dbname", database)?;
    }
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let Some((key, value)) = parameter.split_once('=') else {
            return Err("has a parameter without `=` behind the `?`");
        };
        match (decoded(key)?.as_str(), value) {
            // As JDBC spells it, and libpq reads it.
            ("ssl", "true") => give("sslmode", "require")?,
            (key, value) => give(key, value)?,
        }
    }
    Ok(pairs)
}

/// `a:1,[::1],c` as `a,::1,c` and `1,,`; no ports at all as an empty text.
fn hosts_and_ports(text: &str) -> Result<(String, String), &'static str> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for one in text.split(',') {
        let (host, port) = match one.strip_prefix('[') {
            Some(address) => {
                let (address, rest) = address.split_once(']').ok_or("has a `[` without its `]` in the host")?;
                match rest.strip_prefix(':') {
                    Some(port) => (address, port),
                    None if rest.is_empty() => (address, ""),
                    None => return Err("has something other than a port behind the `]` of the host"),
                }
            }
            None => one.split_once(':').unwrap_or((one, "")),
        };
        hosts.push(host);
        ports.push(port);
    }
    let given = ports.iter().any(|port| !port.is_empty());
    Ok((hosts.join(","), if given { ports.join(",") } else { String::new() }))
}

fn decoded(text: &str) -> Result<String, &'static str> {
    const BROKEN: &str = "has a `%` that two hexadecimal digits do not follow: write `%` as `%25`";
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(BROKEN);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).map_err(|_| BROKEN)?,
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 once its `%` are decoded")
}

fn keywords(text: &str) -> Result<Pairs, &'static str> {
    let mut pairs = Pairs::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|sign: char| sign == '=' || sign.is_whitespace()).ok_or(NEITHER)?;
        let (key, behind) = rest.split_at(end);
        let behind = behind.trim_start().strip_prefix('=').ok_or(NEITHER)?.trim_start();
        let (value, behind) = value(behind)?;
        pairs.push((key.to_owned(), value));
        rest = behind.trim_start();
    }
    Ok(pairs)
}

/// A value, in quotes or up to white space, and what follows it. A backslash takes the next character as it is.
fn value(text: &str) -> Result<(String, &str), &'static str> {
    let (quoted, text) = text.strip_prefix('\'').map_or((false, text), |text| (true, text));
    let mut value = String::new();
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' => value.extend(signs.next().map(|(_, sign)| sign)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            sign if !quoted && sign.is_whitespace() => return Ok((value, &text[at..])),
            sign => value.push(sign),
        }
    }
    if quoted { Err("has a `'` without its second") } else { Ok((value, "")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(text: &str) -> Result<String, &'static str> {
        Ok(pairs(text)?.iter().fold(String::new(), |said, (key, value)| said + key + "<" + value + ">"))
    }

    #[test]
    fn every_form_is_taken_apart() {
        for (text, expected) in [
            ("", ""),
            (" \n", ""),
            ("host=a", "host<a>"),
            (" host = a\n port=1\t", "host<a>port<1>"),
            ("host='a b' password='it\\'s \\\\'", "host<a b>password<it's \\>"),
            ("password=a\\ b\\'c user=u", "password<a b'c>user<u>"),
            ("password='' user=''port=1", "password<>user<>port<1>"),
            ("password=", "password<>"),
            // As libpq has it: what follows the spaces is the value.
            ("password= user=u", "password<user=u>"),
            ("options='-c a=b' host=é", "options<-c a=b>host<é>"),
            ("postgres://", ""),
            ("postgresql://h", "host<h>"),
            ("postgres://h:1/d", "host<h>port<1>dbname<d>"),
            ("postgres://u@h", "user<u>host<h>"),
            ("postgres://u:@h", "user<u>password<>host<h>"),
            ("postgres://:p@h", "password<p>host<h>"),
            ("postgres://u%40x:p%3A%2F%25@h/a%20b", "user<u@x>password<p:/%>host<h>dbname<a b>"),
            ("postgres://u:a@b@c:d@h/", "user<u>password<a@b@c:d>host<h>"),
            ("postgres://a,b:1,[::1]:2,[fe80::1],c/d", "host<a,b,::1,fe80::1,c>port<,1,2,,>dbname<d>"),
            ("postgres:///d?host=/run/a&port=1", "dbname<d>host</run/a>port<1>"),
            ("postgres://%2Frun%2Fa/d", "host</run/a>dbname<d>"),
            ("postgres://h?sslmode=require", "host<h>sslmode<require>"),
            ("postgres://h/?a=b=c&d=&", "host<h>a<b=c>d<>"),
            ("postgres://u@h/d?user=x@y", "user<u>host<h>dbname<d>user<x@y>"),
            ("postgres://h/d?%6Fptions=-c%20a%3Db", "host<h>dbname<d>options<-c a=b>"),
            ("postgres://h/d?ssl=true", "host<h>dbname<d>sslmode<require>"),
            ("postgres://h/d?ssl=1", "host<h>dbname<d>ssl<1>"),
            ("postgres://h/d?a=%c3%A9\n", "host<h>dbname<d>a<é>"),
        ] {
            assert_eq!(said(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_reason() {
        for (text, reason) in [
            ("secret", NEITHER),
            ("mysql://u:secret@h/d", NEITHER),
            ("Postgres://h", NEITHER),
            ("host=a secret", NEITHER),
            ("host secret=a", NEITHER),
            ("password='secret", "has a `'` without its second"),
            ("password='secret\\'", "has a `'` without its second"),
            ("postgres://u:sec/ret@h/d", "has an `@` behind the host"),
            ("postgres://u:1?secret=2@h/d", "has an `@` behind the host"),
            ("postgres://u:sec%ret@h/d", "has a `%` that two"),
            ("postgres://u:secret%@h/d", "has a `%` that two"),
            ("postgres://u:secret%f@h/d", "has a `%` that two"),
            ("postgres://u:secret%é@h/d", "has a `%` that two"),
            ("postgres://u:secret%ff@h/d", "is not UTF-8"),
            ("postgres://u:secret@[::1/d", "has a `[` without its `]`"),
            ("postgres://u:secret@[::1]1/d", "has something other than a port"),
            ("postgres://u:secret@h/d?sslmode", "has a parameter without `=`"),
        ] {
            let given = said(text).unwrap_err();
            assert!(given.starts_with(reason), "{text}: {given}");
            assert!(!given.contains("secret"));
        }
    }

    fn quoted(value: &str) -> String {
        format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
    }

    fn encoded(value: &str) -> String {
        value.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_or_encoded_comes_back(user in "\\PC+", password in ".*", name in "\\PC+", dbname in ".+") {
            let expected: Pairs = [("user", &user), ("password", &password), ("host", &name), ("dbname", &dbname)]
                .map(|(key, value)| (key.to_owned(), value.clone())).into();
            let words = expected.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect::<Vec<_>>();
            prop_assert_eq!(pairs(&words.join(" ")).unwrap(), expected.clone());
            let [user, password, name, dbname] = [user, password, name, dbname].map(|value| encoded(&value));
            let url = format!("postgres://{user}:{password}@{name}/{dbname}");
            prop_assert_eq!(pairs(&url).unwrap(), expected.clone());
            let url = format!("postgres://?user={user}&password={password}&host={name}&dbname={dbname}");
            prop_assert_eq!(pairs(&url).unwrap(), expected);
        }

        #[test]
        fn no_text_panics(text in "(postgres://)?([a-z]|[\\[\\]'\\\\%@:/?&=, é])*", any in "\\PC*") {
            let _ = (pairs(&text), pairs(&any));
        }
    }
}
