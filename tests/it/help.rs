//! The help of every command: one screen with `-h`, two at most with `--help`, and 80 columns.

use std::process::Command;

/// What fits on a terminal at once.
const SHORT: usize = 24;
/// `--help` also has the paragraphs, the examples and the exit statuses: two screens and a little.
const LONG: usize = 52;

#[test]
fn the_help_of_every_command_fits_the_screen() {
    let mut definition = xmpp_edge::cli::definition();
    definition.build();
    let mut commands = vec![Vec::new()];
    walk(&definition, &[], &mut commands);
    assert!(commands.len() > 10, "{commands:?}");
    let mut wrong = Vec::new();
    for command in commands {
        for (option, most) in [("-h", SHORT), ("--help", LONG)] {
            let output = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
                .args(&command)
                .arg(option)
                .env("COLUMNS", "80")
                .output()
                .unwrap();
            assert!(output.status.success(), "{command:?} {option}");
            let text = String::from_utf8(output.stdout).unwrap();
            let lines = text.lines().count();
            if lines > most {
                wrong.push(format!("{command:?} {option}: {lines} lines"));
            }
            let wide = text.lines().filter(|line| line.chars().count() > 80);
            wrong.extend(wide.map(|line| format!("{command:?} {option}: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_with_the_command_line_fits_the_screen() {
    let host = "dns --host a-server-with-a-long-name-but-without-a-dot-in-it-at-all";
    let mut said = 0;
    for line in [
        host,
        "dns --host edge1",
        "partner-sheet --host 70000:edge1.contoso.example",
        "check --format of-a-kind-that-nobody-has-ever-heard-of-and-nobody-will-hear-of",
        "contacts add one",
        "explain one two three",
        "a-command-that-does-not-exist-and-has-a-name-that-is-far-too-long-for-a-line",
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
            .args(line.split(' '))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(64), "{line}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("error: "), "{text}");
        for wide in text.lines().filter(|it| it.chars().count() > 80) {
            // A word is not broken.
            assert!(line.len() > 70 && wide.contains('-'), "{line}: {wide}");
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        said += usize::from(text.contains("is no host name such as xmpp.contoso.example"));
    }
    assert_eq!(said, 2, "broken elsewhere than between words");
}

/// Every command below one, but clap's own `help`.
fn walk(definition: &clap::Command, above: &[String], found: &mut Vec<Vec<String>>) {
    for command in definition.get_subcommands() {
        if command.get_name() == "help" {
            continue;
        }
        let path = [above, &[command.get_name().to_owned()]].concat();
        found.push(path.clone());
        walk(command, &path, found);
    }
}
