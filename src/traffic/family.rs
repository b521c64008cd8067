//! A user agent reduced to what a statistic needs.

/// Browsers in the order in which they are to be looked for: most name others as well.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "python-requests"),
    ("PostmanRuntime/", "Postman"),
    ("okhttp/", "okhttp"),
];
const SYSTEMS: [(&str, &str); 8] = [
    ("Windows", "Windows"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];
const BOTS: [&str; 5] = ["bot", "crawler", "spider", "slurp", "monitor"];

/// Such as `Chrome 126 / macOS / desktop`; at most 64 characters, none of them the client's own but digits.
pub(super) fn family(agent: &str) -> String {
    let browser = BROWSERS.iter().find_map(|(sign, name)| {
        let version = agent.split_once(sign)?.1;
        let major: String = version.chars().take_while(char::is_ascii_digit).take(5).collect();
        let safari = *name != "Safari" || agent.contains("Safari/");
        safari.then(|| if major.is_empty() { (*name).to_owned() } else { format!("{name} {major}") })
    });
    let system = SYSTEMS.iter().find(|(sign, _)| agent.contains(sign)).map_or("other", |(_, name)| name);
    let lower = agent.to_ascii_lowercase();
    let device = if BOTS.iter().any(|bot| lower.contains(bot)) {
        "bot"
    } else if agent.contains("iPad") || (agent.contains("Android") && !agent.contains("Mobile")) {
        "tablet"
    } else if agent.contains("Mobi") || agent.contains("iPhone") {
        "mobile"
    } else if system == "other" {
        "other"
    } else {
        "desktop"
    };
    format!("{} / {system} / {device}", browser.unwrap_or_else(|| "other".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_come_to_their_families() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
                "Chrome 126 / macOS / desktop",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari 17 / iOS / mobile",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36 Edg/126.0",
                "Edge 126 / Windows / desktop",
            ),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "other / other / bot"),
            ("curl/8.5.0", "curl 8 / other / other"),
            ("", "other / other / other"),
        ] {
            assert_eq!(family(agent), expected);
        }
        assert!(family(&format!("Chrome/{} Windows bot", "9".repeat(9_999))).len() <= 64);
    }
}
