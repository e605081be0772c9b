//! `offhook setup`: connects a speech model and a telephone network, and takes back what it made for that.

use std::path::PathBuf;

use offhook_core::PhoneNumber;

use super::{Context, Failure, failed};
use crate::config::Config;
use crate::setup::{Setup, SetupError, acs, realtime};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Connect a Realtime model: what there is, or a new deployment of Azure OpenAI; it is tried by a spoken round trip
    Realtime(Box<Realtime>),
    /// Connect Azure Communication Services: check the key, choose a number, say how Azure reaches this machine
    Acs(Box<Acs>),
    /// Delete what a setup made in Azure, and nothing else
    Undo(How),
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct How {
    /// Ask nothing: what is usual counts, and every command is run
    #[arg(long)]
    yes: bool,
    /// Show what would be done, and do none of it
    #[arg(long)]
    dry_run: bool,
}

/// New things, where there is the az program.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Make a new resource with the az program, whatever there is
    #[arg(long)]
    create: bool,
    /// Which resource of the subscription, where the az program lists them
    #[arg(long, value_name = "NAME", conflicts_with = "create")]
    resource: Option<String>,
    /// The resource group for new things, made where there is none of that name [default: offhook-voice]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Where new things are [default: swedencentral]
    #[arg(long, value_name = "REGION")]
    location: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Realtime {
    /// https://NAME.openai.azure.com, or https://api.openai.com/v1 [default: AZURE_OPENAI_ENDPOINT, else asked for]
    #[arg(long, value_name = "URL", conflicts_with = "create")]
    endpoint: Option<String>,
    /// The deployment, or the model [default: AZURE_OPENAI_REALTIME_DEPLOYMENT, else asked for]
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,
    /// A file with the API key [default: AZURE_OPENAI_API_KEY or OPENAI_API_KEY, else asked for]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Don't have the model speak
    #[arg(long)]
    no_test: bool,
    #[command(flatten)]
    create: Create,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub struct Acs {
    /// A file with the connection string [default: ACS_CONNECTION_STRING, else asked for]
    #[arg(long, value_name = "FILE", conflicts_with = "create")]
    connection_string_file: Option<PathBuf>,
    /// The number calls come from [default: ACS_SOURCE_NUMBER, else chosen from those of the resource]
    #[arg(long, value_name = "NUMBER")]
    number: Option<PhoneNumber>,
    /// Whom the voice calls where nobody has set a number with `offhook phone`
    #[arg(long, value_name = "NUMBER")]
    target: Option<PhoneNumber>,
    /// An https:// address of yours that leads to carrier.acs.listen
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Have a program of yours make the address
    #[arg(long, conflicts_with = "public_url", value_parser = ["cloudflared", "ngrok", "tailscale"])]
    tunnel: Option<String>,
    /// Have calls to the number come in: subscribes a running offhook to the events of the resource, or mends that
    #[arg(long, conflicts_with_all = ["create", "connection_string_file", "number", "target", "tunnel"])]
    incoming: bool,
    /// The same as `offhook setup undo`
    #[arg(long, conflicts_with_all = ["create", "incoming"])]
    undo: bool,
    #[command(flatten)]
    create: Create,
    #[command(flatten)]
    how: How,
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Missing { .. } | SetupError::NoInput => Self::Usage(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

pub async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    crate::app::install_crypto();
    let how = match &command {
        Command::Realtime(args) => args.how,
        Command::Acs(args) => args.how,
        Command::Undo(how) => *how,
    };
    let file = context.config_file.as_deref();
    let mut setup = Setup::new(file, context.env.clone(), how.yes, how.dry_run)?;
    match command {
        Command::Undo(_) => setup.undo().await?,
        Command::Acs(args) if args.undo => setup.undo().await?,
        Command::Realtime(args) => setup.realtime(&realtime_wish(*args)).await?,
        Command::Acs(args) => setup.acs(&acs_wish(*args, context)?).await?,
    }
    Ok(())
}

fn realtime_wish(args: Realtime) -> realtime::Wish {
    let Create { create, resource, group, location } = args.create;
    realtime::Wish {
        resource,
        endpoint: args.endpoint,
        deployment: args.deployment,
        key_file: args.key_file,
        create,
        group,
        location,
        no_test: args.no_test,
    }
}

fn acs_wish(args: Acs, context: &Context) -> Result<acs::Wish, Failure> {
    let Create { create, resource, group, location } = args.create;
    let incoming_url = match args.incoming {
        false => None,
        true => {
            let (config, _) = Config::load(context.config_file.as_deref(), &context.env)?;
            let missing = || failed("no resource is configured yet; run `offhook setup acs` first");
            let resource = config.acs.clone().ok_or_else(missing)?;
            Some(super::acs::incoming_url(&config, &resource, args.public_url.clone())?.into())
        }
    };
    Ok(acs::Wish {
        resource,
        connection_string_file: args.connection_string_file,
        number: args.number,
        target: args.target,
        public_url: args.public_url,
        tunnel: args.tunnel,
        create,
        group,
        location,
        incoming: args.incoming,
        incoming_url,
    })
}
