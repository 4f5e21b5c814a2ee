//! What stands below the options in the help of a command: examples, exit statuses and the like.

/// One part of it: its heading, if it has one, and its lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) heading: Option<&'a str>,
    pub(super) lines: Vec<&'a str>,
}

/// A heading is a line of its own that ends in a colon; or one word or two, a colon, and the rest.
pub(super) fn parts(help: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for line in help.lines().filter(|line| !line.is_empty()) {
        let begun = match line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            Some(heading) => Some((heading, None)),
            None => line
                .strip_prefix(EXIT_STATUS)
                .and_then(|rest| rest.strip_prefix(": "))
                .map(|rest| (EXIT_STATUS, Some(rest))),
        };
        match (begun, parts.last_mut()) {
            (Some((heading, rest)), _) => parts.push(Part {
                heading: Some(heading),
                lines: rest.into_iter().collect(),
            }),
            (None, Some(part)) => part.lines.push(line),
            (None, None) => parts.push(Part {
                heading: None,
                lines: vec![line],
            }),
        }
    }
    parts
}

/// A status and what it means, where a line says that.
pub(super) fn status(line: &str) -> Option<(&str, &str)> {
    let (number, meaning) = line.trim_start().split_once("  ")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((number, meaning))
}

/// The heading that may have its text beside it.
const EXIT_STATUS: &str = "Exit status";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_by_their_headings() {
        let help = "Run it as root.\n\nExamples:\n  xmpp-edge x\n      So\n\nExit status: 0 good";
        let part = |heading, lines: &[&'static str]| Part {
            heading,
            lines: lines.to_vec(),
        };
        let want = [
            part(None, &["Run it as root."]),
            part(Some("Examples"), &["  xmpp-edge x", "      So"]),
            part(Some("Exit status"), &["0 good"]),
        ];
        assert_eq!(parts(help), want);
        assert_eq!(status("  64  it is wrong"), Some(("64", "it is wrong")));
        assert_eq!(status("0 good, 1 bad"), None);
        assert_eq!(status("  six  no number"), None);
    }
}
