//! `offhook doctor`: what is not right yet, and what to do about it.

use std::fmt::Write as _;

use serde_json::json;

use super::{Context, Failure};
use crate::config::{Config, Written};
use crate::doctor::{self, Finding};

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Also have the Realtime model speak, and hear itself; it costs what a short call does
    #[arg(long)]
    speak: bool,
}

pub async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let findings = match Config::load(context.config_file.as_deref(), &context.env) {
        Ok((config, written)) => {
            let mut findings = vec![configuration(&written)];
            findings.extend(doctor::examine(config.clone()).await);
            if args.speak {
                findings.push(doctor::speak(&config).await);
            }
            findings
        }
        Err(error) => vec![Finding::new("configuration").ill(
            "wrong",
            error.to_string(),
            "mend what is named above; docs/config.md describes every key",
        )],
    };
    match context.json {
        true => findings.iter().for_each(|finding| println!("{}", line(finding))),
        false => print!("{}{}", report(&findings), verdict(&findings)),
    }
    if findings.iter().all(|finding| finding.ok) { Ok(()) } else { Err(Failure::No) }
}

fn configuration(written: &Written) -> Finding {
    let finding = Finding::new("configuration");
    let from = match &written.file {
        Some(file) => format!("{} is right", file.display()),
        None => "no file: everything has its default".to_owned(),
    };
    match written.warnings.is_empty() {
        true => finding.well("ok", from),
        false => finding.ill(
            "odd",
            format!("{from}, but {}", written.warnings.join("\nand ")),
            "correct the name, or unset it; `offhook config show` lists the names in use",
        ),
    }
}

fn line(finding: &Finding) -> serde_json::Value {
    json!({
        "name": finding.name, "subject": finding.subject, "ok": finding.ok, "state": finding.state,
        "found": finding.found, "todo": finding.todo,
    })
}

/// One row for each finding; what to do stands below what was found.
fn report(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = if finding.ok { "ok  " } else { "FAIL" };
        let found = match &finding.subject {
            Some(subject) => format!("{subject}: {}", finding.found),
            None => finding.found.clone(),
        };
        for (index, part) in found.lines().enumerate() {
            let _ = match index {
                0 => writeln!(text, "{mark}  {:<14}  {part}", finding.name),
                _ => writeln!(text, "{:22}{part}", ""),
            };
        }
        if !finding.todo.is_empty() {
            let _ = writeln!(text, "{:22}→ {}", "", finding.todo);
        }
    }
    text
}

fn verdict(findings: &[Finding]) -> String {
    match findings.iter().filter(|finding| !finding.ok).count() {
        0 => "\nAll is well.\n".to_owned(),
        1 => "\nOne thing to mend.\n".to_owned(),
        count => format!("\n{count} things to mend.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report() {
        let findings = [
            Finding::new("store").well("ok", "opens"),
            Finding::new("trunk").of("main").ill(
                "refused",
                "answers 403\nand says why",
                "check the password",
            ),
        ];
        expect_test::expect![[r#"
            ok    store           opens
            FAIL  trunk           main: answers 403
                                  and says why
                                  → check the password
        "#]]
        .assert_eq(&report(&findings));
        assert_eq!(verdict(&findings), "\nOne thing to mend.\n");
        assert_eq!(verdict(&findings[..1]), "\nAll is well.\n");
    }
}
