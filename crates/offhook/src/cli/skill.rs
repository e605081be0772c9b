//! `offhook skill`: the instructions for agents that this program ships.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use serde_json::json;

use super::{Context, Failure};
use crate::mcp::skill::{self, AGENTS, Agent};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write it where agents look for skills; an older one is brought up to date
    Install(Args),
    /// Print its first page
    Show,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --for and --dir it goes to every agent of the list that was used on this machine, and to
~/.agents/skills, where agents of the open standard look.")]
pub struct Args {
    /// For which agent; may be given several times
    #[arg(long = "for", value_name = "AGENT", value_parser = PossibleValuesParser::new(AGENTS.map(|agent| agent.name)))]
    agents: Vec<String>,
    /// Into this folder of skills instead, e.g. .claude/skills of a project
    #[arg(long, value_name = "DIR", conflicts_with = "agents")]
    dir: Option<PathBuf>,
}

pub fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Install(args) => install(args, context),
        Command::Show => {
            print!("{}", skill::files().map(|(_, text)| text).next().unwrap_or_default());
            Ok(())
        }
    }
}

fn install(args: Args, context: &Context) -> Result<(), Failure> {
    let mut written = Vec::new();
    for skills in folders(args, context)? {
        let dir = skill::install(&skills).map_err(|error| {
            Failure::Failed(format!("the skill can't be written to {}: {error}", skills.display()))
        })?;
        written.push(dir.display().to_string());
    }
    if context.json {
        println!("{}", json!({ "installed": written }));
    } else {
        written.iter().for_each(|dir| println!("{dir}"));
    }
    Ok(())
}

fn folders(args: Args, context: &Context) -> Result<Vec<PathBuf>, Failure> {
    if let Some(dir) = args.dir {
        return Ok(vec![dir]);
    }
    let wanted = |agent: &&Agent| match args.agents.is_empty() {
        true => agent.name == AGENTS[0].name || agent.is_here(&context.env),
        false => args.agents.iter().any(|name| name == agent.name),
    };
    let folders: Option<Vec<PathBuf>> =
        AGENTS.iter().filter(wanted).map(|agent| agent.skills(&context.env)).collect();
    folders.ok_or_else(|| Failure::Usage("there is no home directory; say where with --dir".to_owned()))
}
