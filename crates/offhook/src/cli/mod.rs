//! The command line: a codec over the gateway, in this process (`serve`, `demo`, `key`, `doctor`) or over HTTP.

mod account;
mod acs;
mod approve;
mod backup;
mod call;
mod campaign;
mod check;
mod client;
mod doctor;
mod interrupt;
mod key;
mod live;
mod mcp;
mod me;
mod phone;
mod schedule;
mod serve;
mod setup;
mod show;
mod skill;
pub(crate) mod state;
mod steer;
mod webhook;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use offhook_store::Store;
use secrecy::ExposeSecret as _;

use crate::config::{self, Config, ConfigError, Env, Place};
use crate::demo::{self, DemoArgs, DemoError};

const EXAMPLES: &str = "\
Examples:
  offhook demo                                    a real call to a test number, no account needed
  offhook serve                                   the API on http://127.0.0.1:7465
  offhook call +14155550100 \"Ask for a table for two on Friday at seven\" --check
  offhook call +14155550100 \"Ask for a table for two on Friday at seven\" --wait
  offhook call +14155550110 \"Ask for Dr. Lee, then hand over\" --bridge=+13125550163 --follow
  offhook show 0199a1e0-… --transcript
  offhook skill install                           so that your agents know how to call
  offhook doctor                                  what is not right yet, and what to do about it

Exit codes:
  0  done                  3  the server can't be reached
  1  a call was not answered, or a check failed
  2  wrong usage or configuration
  4  the server refused the request; the message says why
  5  the user declined what was to be approved
  6  nobody approved it in time, or it was cancelled";

/// The options that every command has.
const EVERYWHERE: &str = "Everywhere";

const SERVE: &str = "\
Without a configured trunk only the test numbers of the sandbox on this machine can be called; docs/carriers/sip.md
connects real phones, docs/voices.md a speech model. `offhook doctor` says what is not right yet.

Ctrl-C or SIGTERM: no new calls, live ones are hung up and written down, then it ends.";

const DOCTOR: &str = "\
Places no call and leaves nothing behind. Where `offhook serve` runs already it is asked how its trunks are; run the
doctor with the same configuration and as the same user. Exit code 1 when something is to be mended.";

const COMPLETIONS: &str = "\
  bash:  offhook completions bash > ~/.local/share/bash-completion/completions/offhook
  zsh:   offhook completions zsh > \"${fpath[1]}/_offhook\"
  fish:  offhook completions fish > ~/.config/fish/completions/offhook.fish";

/// A phone line for AI agents that you run yourself.
#[derive(Debug, Parser)]
#[command(name = "offhook", bin_name = "offhook", version, about, after_help = EXAMPLES, max_term_width = 100)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    /// The configuration file [default: $XDG_CONFIG_HOME/offhook/offhook.toml]
    #[arg(long, global = true, value_name = "FILE", env = "OFFHOOK_CONFIG", hide_env_values = true)]
    #[arg(help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// Read NAME=value lines for what the environment does not say, e.g. the .env of another installation
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    env_file: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Where the server answers [default: from `listen` of the configuration]
    #[arg(long, global = true, value_name = "URL", env = "OFFHOOK_URL", hide_env_values = true)]
    #[arg(help_heading = EVERYWHERE, value_parser = server_address)]
    url: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a real call to a test number on this machine and show it as it happens
    Demo(Demo),
    /// Run the phone line: HTTP API, calls, everything
    #[command(after_help = SERVE)]
    Serve,
    /// Place a call
    Call(Box<call::Args>),
    /// Show a call as it happens; what you type answers, steers or ends it
    Follow {
        /// The call's id; `offhook calls --live` lists them
        id: String,
    },
    /// List calls, newest first
    Calls(show::ListArgs),
    /// Show one call
    Show(show::Args),
    /// Hang up a call
    Hangup {
        /// The call's id; `offhook calls --live` lists them
        id: String,
    },
    /// Have the voice of a call say something next
    Say(steer::Told),
    /// Give the voice of a call a note to follow, which it does not say
    Instruct(steer::Told),
    /// Press keys in a call
    Digits(steer::Keys),
    /// Answer the question that the voice of a call has for you
    Answer(steer::Answered),
    /// Hand a call over to the user now: their phone rings, they are joined, and the voice leaves
    Bridge(steer::Bridged),
    /// Have the user approve something by phone: exit code 0 is a yes
    Approve(Box<approve::Args>),
    /// Show, set or clear the PIN with which you approve
    Pin(approve::Pin),
    /// Ask several places the same in parallel, and compare what they say
    #[command(subcommand, arg_required_else_help = true)]
    Campaign(campaign::Command),
    /// Call by the clock, when a condition holds
    #[command(subcommand, arg_required_else_help = true)]
    Schedule(schedule::Command),
    /// Show the account behind the key
    Me,
    /// Show what is left to the key
    Balance,
    /// Print the page where the key is linked to an account; it holds the key
    Link,
    /// Show, set or forget your own number: where the voice calls you, and where handoffs go
    Phone(phone::Phone),
    /// Show what became of the events of a call, and what they are signed with
    #[command(subcommand, arg_required_else_help = true)]
    Webhook(webhook::Command),
    /// Speak the Model Context Protocol on standard input and output, for an agent that starts this
    Mcp,
    /// Put the skill where agents look for skills, so that they know how to call
    #[command(subcommand, arg_required_else_help = true)]
    Skill(skill::Command),
    /// Make, list, rotate and revoke API keys (on the machine of the server)
    #[command(subcommand, arg_required_else_help = true)]
    Key(key::Command),
    /// Make accounts, their limits and their codes (on the machine of the server)
    #[command(subcommand, arg_required_else_help = true)]
    Account(account::Command),
    /// What Azure Communication Services needs to know, and what is known of it (on the machine of the server)
    #[command(subcommand, arg_required_else_help = true)]
    Acs(acs::Command),
    /// Connect a speech model and telephones of Azure, guided; or take back what that made
    #[command(subcommand, arg_required_else_help = true)]
    Setup(setup::Command),
    /// Check configuration, ports, store, trunk and model, and say what to do
    #[command(after_help = DOCTOR)]
    Doctor(doctor::Args),
    /// Copy database, recordings and secret (on the machine of the server)
    Backup(backup::Args),
    /// Show or check the configuration
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),
    /// Print a completion script
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell it is for
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = demo_numbers())]
struct Demo {
    /// The test number, whole or its last four digits
    #[arg(long, value_name = "NUMBER", default_value = "0100", conflicts_with = "all")]
    number: String,
    /// Call every test number and compare what came with what is documented; exit code 1 if any differs
    #[arg(long)]
    all: bool,
    /// Where recordings, transcripts and the database go
    #[arg(long, value_name = "DIR", default_value = "offhook-demo")]
    out: PathBuf,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Every key, what it is set to, and by what; secrets are masked
    Show,
    /// Only say whether it is right; exit code 2 when it is not
    Check,
}

fn demo_numbers() -> String {
    let rows =
        offhook_sandbox::NUMBERS.iter().map(|number| format!("  {}  {}\n", number.number, number.behaviour));
    format!("Test numbers:\n{}", rows.collect::<String>())
}

/// Why a command did not do what it should; the variant is the exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command did its work, and the answer is no.
    #[error("")]
    No,
    /// The user said no to what was to be approved.
    #[error("")]
    Declined,
    /// Nobody said yes to it in time.
    #[error("")]
    Undecided,
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("{text}")]
    Refused { code: String, text: String },
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::No | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Refused { .. } => 4,
            Self::Declined => 5,
            Self::Undecided => 6,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::NoSuchNumber(_) => Self::Usage(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// Where a server may be.
fn server_address(text: &str) -> Result<String, String> {
    let url: Option<reqwest::Url> = text.parse().ok();
    match url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => Err("write http:// or https:// and the host, e.g. http://127.0.0.1:7465".to_owned()),
    }
}

/// What every command can use.
#[derive(Debug)]
struct Context {
    config_file: Option<PathBuf>,
    json: bool,
    url: Option<String>,
    env: Env,
}

impl Context {
    fn config(&self) -> Result<Config, Failure> {
        let (config, written) = Config::load(self.config_file.as_deref(), &self.env)?;
        for warning in &written.warnings {
            eprintln!("offhook: {warning}");
        }
        Ok(config)
    }
}

impl Context {
    /// Where the server on this machine keeps its data, and the store there.
    async fn store(&self) -> Result<(Place, Store), Failure> {
        let place = Config::place(self.config_file.as_deref(), &self.env)?;
        let url = place.database_url.expose_secret();
        // A new and empty one would be of no server.
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !Path::new(path).exists()) {
            return Err(Failure::Failed(format!(
                "there is no database at {path}; start `offhook serve` first, or name the server's configuration \
                 with --config and its directory with OFFHOOK_DATA_DIR"
            )));
        }
        let store = Store::open(url).await.map_err(failed)?;
        Ok((place, store))
    }
}

/// The whole process: its runtime, and the command line in it.
pub fn main() -> ExitCode {
    // On a single core there is nobody to share tasks with, and a scheduler that could costs a good deal.
    let single = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let runtime = match single {
        true => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        false => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run());
            // Whoever stops at once does not wait for what is still being done.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("offhook: the runtime can't be started: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Run the command line of this process.
async fn run() -> ExitCode {
    let cli = Cli::parse();
    let env = match &cli.env_file {
        Some(file) => Env::process().with_file(file).map_err(|error| Failure::Usage(error.to_string())),
        None => Ok(Env::process()),
    };
    let done = match env {
        Ok(env) => {
            let context = Context { config_file: cli.config, json: cli.json, url: cli.url, env };
            dispatch(cli.command, &context).await
        }
        Err(failure) => Err(failure),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let message = failure.to_string();
            if !message.is_empty() {
                eprintln!("offhook: {message}");
            }
            ExitCode::from(failure.code())
        }
    }
}

async fn dispatch(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo(args, context).await,
        Command::Serve => serve::run(context).await,
        Command::Call(args) => call::run(*args, context).await,
        Command::Follow { id } => call::follow(&id, context).await,
        Command::Calls(args) => show::list(args, context).await,
        Command::Show(args) => show::one(args, context).await,
        Command::Hangup { id } => call::hang_up(&id, context).await,
        Command::Say(args) => steer::say(args, context).await,
        Command::Instruct(args) => steer::instruct(args, context).await,
        Command::Digits(args) => steer::digits(args, context).await,
        Command::Answer(args) => steer::answer(args, context).await,
        Command::Bridge(args) => steer::bridge(args, context).await,
        Command::Approve(args) => approve::run(*args, context).await,
        Command::Pin(args) => approve::pin(args, context).await,
        Command::Campaign(command) => campaign::run(command, context).await,
        Command::Schedule(command) => schedule::run(command, context).await,
        Command::Me => me::account(context).await,
        Command::Balance => me::balance(context).await,
        Command::Link => me::link(context),
        Command::Phone(args) => phone::run(args, context).await,
        Command::Webhook(command) => webhook::run(command, context).await,
        Command::Mcp => mcp::run(context).await,
        Command::Skill(command) => skill::run(command, context),
        Command::Account(command) => account::run(command, context).await,
        Command::Key(command) => key::run(command, context).await,
        Command::Acs(command) => acs::run(command, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Setup(command) => setup::run(command, context).await,
        Command::Backup(args) => backup::run(args, context).await,
        Command::Config(command) => show_config(command, context),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "offhook", &mut script);
            // A closed pipe (`| head`) is no failure.
            let _ = std::io::stdout().write_all(&script);
            Ok(())
        }
    }
}

async fn demo(args: Demo, context: &Context) -> Result<(), Failure> {
    serve::log(&config::Log { filter: "error".to_owned(), json: false });
    let args = DemoArgs { number: Some(args.number), all: args.all, json: context.json, out: Some(args.out) };
    if demo::run(args).await? { Ok(()) } else { Err(Failure::No) }
}

fn show_config(command: ConfigCommand, context: &Context) -> Result<(), Failure> {
    let (_, written) = Config::load(context.config_file.as_deref(), &context.env)?;
    match command {
        ConfigCommand::Check => {
            for warning in &written.warnings {
                eprintln!("offhook: {warning}");
            }
            let right = serde_json::json!({ "ok": true, "warnings": written.warnings });
            if context.json { println!("{right}") } else { println!("the configuration is right") }
        }
        ConfigCommand::Show if context.json => println!("{}", config::entries_json(&written)),
        ConfigCommand::Show => print!("{}", config::entries_text(&written)),
    }
    Ok(())
}
