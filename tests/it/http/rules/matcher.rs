//! Matchers: four forms, each tried on three texts.

use proptest::{prelude::*, test_runner::TestRunner};
use tracevault::{http::Matcher, regex::Regex};

/// The four forms that mean this very text, or what begins with it.
fn forms(text: &str) -> [Matcher; 4] {
    let owned = text.to_owned();
    [
        Matcher::from(text),
        Matcher::from(format!("{text}*")),
        Matcher::from(Regex::new(&format!("^{}$", regex::escape(text))).unwrap()),
        Matcher::from(move |given: &str| given == owned),
    ]
}

#[test]
fn each_form_is_tried_on_each_text() {
    let segment = "(/[a-z]{1,5}){1,3}";
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(50) });
    let tested = runner.run(&(segment, segment, "[a-z]{1,4}=[a-z]{0,4}"), |(route, path, query)| {
        let route = format!("{route}/{{id}}");
        let path = format!("{path}/7");
        let url = format!("{path}?{query}");
        for text in [&route, &path, &url] {
            for matcher in forms(text) {
                prop_assert!(matcher.matches(Some(&route), &path, &url), "{matcher:?}");
                let elsewhere = matcher.matches(Some("/-"), "/-", "/-?-");
                prop_assert!(!elsewhere, "{matcher:?}");
            }
        }
        // Each text by itself.
        for (at, text) in [&route, &path, &url].into_iter().enumerate() {
            let only = |here| if at == here { text.as_str() } else { "-" };
            for matcher in forms(text) {
                prop_assert!(matcher.matches(Some(only(0)), only(1), only(2)), "{matcher:?}");
            }
        }
        for matcher in forms(&route) {
            prop_assert!(!matcher.matches(None, "-", "-"));
        }
        Ok(())
    });
    tested.unwrap();
}

#[test]
fn a_star_stands_for_what_follows() {
    for (form, text, matches) in [
        ("/health", "/health", true),
        ("/health", "/healthz", false),
        ("/health", "/Health", false),
        ("/health", "/health/", false),
        ("/api/*", "/api/", true),
        ("/api/*", "/api/users/7", true),
        ("/api/*", "/api", false),
        ("/api/*", "/apis", false),
        ("/api*", "/apis", true),
        ("*", "", true),
        ("/a*/b", "/ax/b", false),
        ("/a*/b", "/a*/b", true),
        ("", "", true),
        ("", "/", false),
    ] {
        assert_eq!(Matcher::from(form).matches(None, text, text), matches, "{form} {text}");
    }
    let anywhere = Matcher::from(Regex::new("admin").unwrap());
    assert!(anywhere.matches(None, "/x", "/x?next=/admin/1"));
    assert_eq!(
        format!("{:?} {:?}", Matcher::from("/a*"), Matcher::from(|_: &str| true)),
        "Matcher(/a*) Matcher(a function)"
    );
}
