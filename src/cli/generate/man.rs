//! The manual: one page a command, made of its definition.

use clap::Command;
use clap_mangen::Man;

use super::File;
use super::extra::{self, Part};
use super::page::Page;
use super::settings;

/// Every page.
pub(super) fn pages(definition: &Command, date: &str) -> Vec<File> {
    // The option and the command that show the help are in no page of it.
    let mut definition = definition.clone();
    definition = definition.disable_help_flag(true);
    definition = definition.disable_help_subcommand(true);
    definition.build();
    let mut pages = Vec::new();
    add(&mut pages, &definition, None, date);
    pages.extend(settings::pages(date));
    pages
}

fn add(pages: &mut Vec<File>, command: &Command, above: Option<&str>, date: &str) {
    let name = name(command);
    pages.push(File {
        name: format!("{name}.1"),
        text: page(command, above, date),
    });
    for below in command.get_subcommands() {
        add(pages, below, Some(&name), date);
    }
}

/// Commands below another have its name before their own.
fn name(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command, above: Option<&str>, date: &str) -> String {
    let about = command.get_about().map(ToString::to_string);
    let mut page = Page::new(&name(command), 1, date, &about.unwrap_or_default());
    let help = { command.get_after_long_help() }.or_else(|| command.get_after_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let parts = extra::parts(&help);
    let man = Man::new(command.clone());
    page.roff(&source(|out| man.render_synopsis_section(out)));
    description(&mut page, command, &parts);
    if command.get_arguments().next().is_some() {
        page.roff(&source(|out| man.render_options_section(out)));
    }
    if command.has_subcommands() {
        page.roff(&source(|out| man.render_subcommands_section(out)));
    }
    for part in &parts {
        if let Some(heading) = part.heading {
            page.heading(heading);
            self::part(&mut page, part);
        }
    }
    page.heading("Files");
    page.item(
        &[super::super::CONFIG],
        "The configuration: xmpp-edge.toml(5).",
    );
    page.item(
        &["/etc/xmpp-edge/partners.toml"],
        "The partners: xmpp-edge-partners.toml(5).",
    );
    page.heading("See also");
    page.text(&see_also(command, above));
    page.into_source()
}

fn description(page: &mut Page, command: &Command, parts: &[Part<'_>]) {
    page.heading("Description");
    let about = { command.get_long_about() }.or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    // The first line is the one beside the name.
    let short = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let more = about.strip_prefix(short.as_str()).unwrap_or(&about);
    let paragraphs = more.split("\n\n").filter(|text| !text.trim().is_empty());
    let plain = parts.iter().filter(|part| part.heading.is_none());
    let mut all: Vec<_> = paragraphs.map(str::to_owned).collect();
    all.extend(plain.map(|part| part.lines.join(" ")));
    if all.is_empty() {
        all.push(format!("{short}."));
    }
    for (index, text) in all.iter().enumerate() {
        match index {
            0 => page.text(text),
            _ => page.paragraph(text),
        }
    }
}

/// Statuses are a list; what is indented stands as it is.
fn part(page: &mut Page, part: &Part<'_>) {
    let statuses: Vec<_> = { part.lines.iter() }
        .filter_map(|line| extra::status(line))
        .collect();
    if statuses.len() == part.lines.len() {
        for (number, meaning) in statuses {
            page.item(&[number], meaning);
        }
    } else if part.lines.iter().all(|line| line.starts_with(' ')) {
        let lines = part
            .lines
            .iter()
            .map(|line| line.strip_prefix("  ").unwrap_or(line));
        page.verbatim(&lines.collect::<Vec<_>>());
    } else {
        page.text(&part.lines.join(" "));
    }
}

fn see_also(command: &Command, above: Option<&str>) -> String {
    let below = command.get_subcommands().map(name);
    let mut pages: Vec<_> = { above.map(str::to_owned).into_iter() }
        .chain(below)
        .map(|name| format!("{name}(1)"))
        .collect();
    pages.extend(settings::NAMES.map(|name| format!("{name}(5)")));
    pages.join(", ")
}

/// What clap's writer of man pages has made.
fn source(render: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    // Writing to a Vec does not fail.
    render(&mut out).unwrap_or_default();
    String::from_utf8_lossy(&out).into_owned()
}
