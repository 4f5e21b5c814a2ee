//! Writes roff, the language of man pages: man(7).

/// One man page.
#[derive(Debug)]
pub(super) struct Page(String);

/// How long a line of the source may be.
const WIDTH: usize = 78;

impl Page {
    /// A page that has its title, and what it is in one sentence.
    pub(super) fn new(name: &str, section: u8, date: &str, about: &str) -> Self {
        let mut page = Self(format!(
            ".TH \"{}\" \"{section}\" \"{date}\" \"xmpp-edge {}\" \"xmpp-edge\"\n",
            escaped(&name.to_uppercase()),
            env!("CARGO_PKG_VERSION"),
        ));
        page.heading("NAME");
        fold(
            &mut page.0,
            &format!("{} \\- {}", escaped(name), escaped(about)),
        );
        page
    }

    /// Begins a section.
    pub(super) fn heading(&mut self, title: &str) {
        let title = escaped(&title.to_uppercase());
        self.0.push_str(&format!(".SH \"{title}\"\n"));
    }

    /// Begins a part of a section.
    pub(super) fn subheading(&mut self, title: &str) {
        self.0.push_str(&format!(".SS \"{}\"\n", escaped(title)));
    }

    /// A paragraph, not the first of its section.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.0.push_str(".PP\n");
        self.text(text);
    }

    /// The first paragraph of a section.
    pub(super) fn text(&mut self, text: &str) {
        fold(&mut self.0, &escaped(text));
    }

    /// What a word means, or several words.
    pub(super) fn item(&mut self, words: &[&str], text: &str) {
        for (index, word) in words.iter().enumerate() {
            let control = if index == 0 { ".TP" } else { ".TQ" };
            self.0
                .push_str(&format!("{control}\n\\fB{}\\fR\n", escaped(word)));
        }
        self.text(text);
    }

    /// Lines as they are.
    pub(super) fn verbatim(&mut self, lines: &[&str]) {
        let above = self.0.lines().next_back().unwrap_or_default();
        if !above.starts_with(".S") {
            self.0.push_str(".PP\n");
        }
        self.0.push_str(".RS 4\n.nf\n");
        for line in lines {
            self.0.push_str(&led(&escaped(line)));
            self.0.push('\n');
        }
        self.0.push_str(".fi\n.RE\n");
    }

    /// What another writer has made. Its lines are cut where they may be; what it says at the
    /// beginning of each piece, and twice, is left out.
    pub(super) fn roff(&mut self, source: &str) {
        let mut is_tag = false;
        for line in source.lines().map(str::trim_end) {
            let is_control = line.starts_with('.');
            let is_preamble =
                line.starts_with(".ie \\n(.g .ds Aq") || line.starts_with(".el .ds Aq");
            if is_preamble || line == ".br" && self.0.ends_with("\n.br\n") {
                continue;
            }
            let line = line.replace("\\*(Aq", "\\(aq");
            if is_control || is_tag {
                self.0.push_str(&line);
                self.0.push('\n');
            } else if !line.is_empty() {
                fold(&mut self.0, &line);
            }
            is_tag = line == ".TP";
        }
    }

    /// The whole source.
    pub(super) fn into_source(self) -> String {
        self.0
    }
}

/// Text that means itself.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('"', "\\(dq")
        .replace('`', "\\(ga")
}

/// A line that would be read as a command, were it not for its beginning.
fn led(line: &str) -> String {
    match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line.to_owned(),
    }
}

/// Adds text in lines that are not too long.
fn fold(source: &mut String, text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            source.push_str(&led(&line));
            source.push('\n');
            line.clear();
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        source.push_str(&led(&line));
        source.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_means_itself() {
        let mut page = Page::new("xmpp-edge", 1, "2027-01-15", "say \"it\"");
        page.heading("Text");
        page.text(&format!("{} .hidden 'so'", "word ".repeat(15)));
        page.item(&["--a", "--b"], "it's \\ so");
        page.verbatim(&[".dot", "  `two`"]);
        let source = page.into_source();
        let mut lines = source.lines();
        assert_eq!(
            lines.next(),
            Some(".TH \"XMPP\\-EDGE\" \"1\" \"2027-01-15\" \"xmpp-edge 0.1.0\" \"xmpp-edge\"")
        );
        for line in [
            "xmpp\\-edge \\- say \\(dqit\\(dq",
            "\\&.hidden \\(aqso\\(aq",
            ".TQ",
            "\\fB\\-\\-b\\fR",
            "it\\(aqs \\e so",
            "\\&.dot",
            "  \\(gatwo\\(ga",
        ] {
            assert!(source.lines().any(|it| it == line), "{line}\n{source}");
        }
    }
}
