//! Numbers by how they are spelled.

/// Whether it can be kept: within 64 bits, or a double that is neither infinite nor rounded to zero.
pub fn keeps(spelled: &str) -> bool {
    if spelled.len() > 1_000 {
        return false;
    }
    if spelled.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return spelled.parse::<i128>().is_ok_and(|n| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&n));
    }
    let (digits, _) = decimal(spelled);
    let value: f64 = spelled.parse().unwrap();
    let exponent = spelled.split(['e', 'E']).nth(1).map_or(Some(0), |text| text.parse::<i64>().ok());
    value.is_finite() && (value != 0.0 || digits.is_empty()) && exponent.is_some_and(|exponent| exponent.abs() <= 1_000)
}

/// Whether both are the same number.
pub fn same(one: &str, other: &str) -> bool {
    decimal(one) == decimal(other)
}

/// Significant digits behind their sign, and the power of ten that the last of them counts.
fn decimal(spelled: &str) -> (String, i64) {
    let (sign, rest) = spelled.strip_prefix('-').map_or(("", spelled), |rest| ("-", rest));
    let mut parts = rest.split(['e', 'E']);
    let mantissa = parts.next().unwrap();
    let mut power = parts.next().map_or(0, |text| text.parse::<i64>().unwrap_or(i64::from(i32::MAX)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    power -= fraction.len() as i64;
    let mut digits = format!("{whole}{fraction}");
    while digits.ends_with('0') {
        digits.pop();
        power += 1;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { (String::new(), 0) } else { (format!("{sign}{digits}"), power) }
}
