//! Quantities as people read them: three digits and a unit.

/// Bytes, to three digits.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut thousandths = u128::from(bytes);
    for unit in UNITS {
        if thousandths < 1_000_000 {
            return format!("{} {unit}", three_digits(thousandths));
        }
        thousandths /= 1000;
    }
    format!("{} EB", three_digits(thousandths))
}

/// Microseconds, to three digits.
pub fn time(us: u64) -> String {
    match us {
        0..1000 => format!("{us} us"),
        1000..1_000_000 => format!("{} ms", three_digits(u128::from(us))),
        1_000_000..60_000_000 => format!("{} s", three_digits(u128::from(us / 1000))),
        _ => {
            let seconds = us / 1_000_000;
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            format!("{hours}:{minutes:02}:{:02}", seconds % 60)
        }
    }
}

/// So many of something.
pub fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A number given in thousandths, with as many decimals as make three digits.
fn three_digits(thousandths: u128) -> String {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    match whole {
        0..10 => format!("{whole}.{:02}", rest / 10),
        10..100 => format!("{whole}.{}", rest / 100),
        _ => whole.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_several() {
        assert_eq!(counted(0, "row"), "0 rows");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2, "failed attempt"), "2 failed attempts");
    }

    #[test]
    fn sizes_and_times_have_three_digits() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1000), "1.00 KB");
        assert_eq!(size(12_345), "12.3 KB");
        assert_eq!(size(999_999), "999 KB");
        assert_eq!(size(5_000_000_000), "5.00 GB");
        assert_eq!(size(u64::MAX), "18.4 EB");
        assert_eq!(time(999), "999 us");
        assert_eq!(time(1500), "1.50 ms");
        assert_eq!(time(59_999_999), "59.9 s");
        assert_eq!(time(3_723_000_000), "1:02:03");
    }
}
