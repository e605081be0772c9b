//! Azure Communication Services in a running offhook: the carrier, its doors, and how they are reached.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use offhook_carrier::acs::AcsStartError;
use offhook_carrier::{AcsCarrier, IncomingCall};
use offhook_core::policy::Access;
use offhook_store::Store;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acs::tunnel::{Pacing, Tunnel, TunnelState};
use crate::acs::{Guard, IncomingGuard, ToldAt, Trust};
use crate::config::{Acs, AcsIncoming};
use crate::doctor::{self, Proof};
use crate::gateway::{Inbound, Secret};
use crate::http;
use crate::http::acs::Doors;

/// How long a connection may wait for its next request: longer than proxies and tunnels keep one, so that they never send
/// a callback on one that is just being closed.
const IDLE: Duration = Duration::from_secs(120);

#[derive(Debug, thiserror::Error)]
pub enum AcsError {
    #[error("can't listen on {addr}: {why}; set carrier.acs.listen to a free address")]
    Listen { addr: SocketAddr, why: io::Error },
    #[error(transparent)]
    Carrier(#[from] AcsStartError),
    #[error("the keys that callbacks are signed with can't be asked for: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the secret of this installation can't be read: {0}")]
    Secret(io::Error),
}

/// The carrier with its doors, not open yet.
pub(super) struct AcsParts {
    pub carrier: AcsCarrier,
    pub guard: Guard,
    /// Where the doors listen.
    pub addr: SocketAddr,
    listener: TcpListener,
    tunnel: Option<Tunnel>,
    reached: watch::Receiver<TunnelState>,
    proof: Proof,
}

impl AcsParts {
    /// Everything that can go wrong; nobody outside is told of anything yet. `secret` is the file of `key`.
    pub async fn new(
        config: &Acs,
        store: &Store,
        (secret, key): (&Path, &Secret),
        incoming: mpsc::Sender<IncomingCall>,
        inbound: &Inbound,
    ) -> Result<Self, AcsError> {
        let unusable = |why| AcsError::Listen { addr: config.listen, why };
        let listener = TcpListener::bind(config.listen).await.map_err(unusable)?;
        let addr = listener.local_addr().map_err(unusable)?;
        let no_secret = || AcsError::Secret(io::ErrorKind::NotFound.into());
        let proof = Proof::with(secret).ok_or_else(no_secret)?;
        let (tunnel, reached) = match &config.tunnel {
            Some(tunnel) => {
                let (tunnel, state) = Tunnel::new(tunnel.clone(), doctor::reachable(addr), Pacing::default());
                (Some(tunnel), state)
            }
            None => {
                let state = TunnelState { url: config.public_url.clone(), ..TunnelState::default() };
                (None, watch::channel(state).1)
            }
        };
        let learned = (store.clone(), config.resource().to_owned());
        let callbacks = Trust::new(config.callbacks.clone(), Some(learned))?;
        callbacks.warm();
        if callbacks.accepts_missing() {
            tracing::warn!(
                "callbacks without a token of Microsoft's are let in: carrier.acs.accept_unsigned is on"
            );
        }
        let told = ToldAt::kept_in(secret.with_file_name("acs-incoming"));
        let grid = incoming_guard(&config.incoming, key, (answers(config, inbound), told))?;
        let guard = Guard::new(callbacks, grid, reached.clone());
        let carrier = AcsCarrier::start(config.carrier.clone(), incoming)?;
        Ok(Self { carrier, guard, addr, listener, tunnel, reached, proof })
    }

    /// Serve the doors, and make them reachable.
    pub fn open(self, tasks: &TaskTracker, stop: &CancellationToken) {
        let doors = Doors::new(self.carrier.clone(), self.guard, self.proof);
        let limits = http::Limits { head_timeout: IDLE, ..http::Limits::default() };
        tasks.spawn(http::serve(self.listener, doors.router(), limits, stop.clone()));
        if let Some(tunnel) = self.tunnel {
            tasks.spawn(tunnel.run(stop.clone()));
            tasks.spawn(follow(self.reached, self.carrier, stop.clone()));
        }
    }
}

/// Calls are told where we are reached now; while we are not, none is placed.
async fn follow(mut reached: watch::Receiver<TunnelState>, carrier: AcsCarrier, stop: CancellationToken) {
    loop {
        let url = reached.borrow_and_update().url.clone();
        carrier.set_public_url(url.as_deref());
        match stop.run_until_cancelled(reached.changed()).await {
            Some(Ok(())) => {}
            _ => return,
        }
    }
}

/// A secret for the deliveries there always is, unless Entra ID protects them.
fn incoming_guard(
    config: &AcsIncoming,
    key: &Secret,
    (answered, told): (bool, ToldAt),
) -> Result<IncomingGuard, AcsError> {
    let entra = config.entra.clone().map(|trust| Trust::new(trust, None)).transpose()?;
    entra.iter().for_each(Trust::warm);
    let token = match (&config.token, &entra) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(_)) => None,
        (None, None) => Some(key.incoming_token()),
    };
    Ok(IncomingGuard { token, entra, topic: config.topic.clone(), answered, told })
}

/// Whether anybody who calls a number of this resource is answered.
fn answers(config: &Acs, inbound: &Inbound) -> bool {
    config
        .carrier
        .lines
        .iter()
        .map(|line| inbound.of(&line.number))
        .any(|reception| reception.purpose.is_some() && reception.rules.access != Access::Closed)
}
