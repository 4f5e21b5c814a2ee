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
