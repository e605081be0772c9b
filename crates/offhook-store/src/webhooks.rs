//! Where the facts of a call are sent, how far that is, and every attempt at it.
//!
//! The webhook of a call is written with the call, in one transaction, and goes with it. How far its journal was
//! delivered is one number, so that a process that takes over goes on exactly there. Secrets are not stored: the
//! gateway makes them of the owner and a count that is kept here.

use offhook_core::{CallId, OwnerId, Timestamp};

use crate::db::{Row, Tx, params};
use crate::{Store, StoreError};

/// How a webhook stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WebhookState {
    /// There is, or will be, something to deliver.
    Open,
    /// The last event of the call was taken.
    Done,
    /// The receiver said that it is gone for good.
    Gone,
    /// It was tried for as long as anybody may wait.
    GivenUp,
}

impl WebhookState {
    pub const ALL: [WebhookState; 4] = [Self::Open, Self::Done, Self::Gone, Self::GivenUp];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Gone => "gone",
            Self::GivenUp => "given_up",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// The webhook of a call. `Debug` does not show the address, which may hold a token.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRow {
    pub owner: OwnerId,
    pub url: String,
    pub state: WebhookState,
    /// Everything up to this fact was taken, or is nothing to send.
    pub delivered_seq: u64,
    /// Attempts at the event after that, all in vain.
    pub tries: u32,
    /// Not before; `None` where there is nothing to wait for.
    pub next_at: Option<Timestamp>,
}

impl std::fmt::Debug for WebhookRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { owner, state, delivered_seq, tries, next_at, .. } = self;
        let mut shown = f.debug_struct("WebhookRow");
        shown.field("owner", owner).field("state", state).field("delivered_seq", delivered_seq);
        shown.field("tries", tries).field("next_at", next_at).finish_non_exhaustive()
    }
}

/// One attempt to deliver one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The fact of the journal.
    pub seq: u64,
    /// Its code.
    pub event: String,
    /// Counts from 1 for each event.
    pub attempt: u32,
    pub at: Timestamp,
    pub took_ms: u32,
    /// Of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// What went wrong, in our own words.
    pub error: Option<String>,
}

/// How a webhook goes on after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookNext {
    /// The event was taken; the next one may be sent.
    Taken,
    /// The event was taken, and it was the last.
    Done,
    Again {
        at: Timestamp,
    },
    Gone,
    GivenUp,
}

/// Which of an owner's secrets is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookSecretRow {
    /// 0 for the first.
    pub generation: u32,
    /// When it took the place of the one before.
    pub rotated_at: Option<Timestamp>,
}

impl Store {
    /// The webhooks with something to deliver, now or later, and until when each has to wait.
    pub async fn open_webhooks(&self) -> Result<Vec<(CallId, OwnerId, Option<Timestamp>)>, StoreError> {
        const SQL: &str = "SELECT call_id, owner_id, next_at FROM webhooks JOIN calls ON calls.id = call_id \
            WHERE state = 'open' ORDER BY call_id";
        let open = |row: &Row| {
            let id = row.parsed("call_id", |id| id.parse().ok())?;
            Ok((id, row.parsed("owner_id", |id| id.parse().ok())?, row.opt_at("next_at")?))
        };
        self.db.rows(SQL, vec![]).await?.iter().map(open).collect()
    }

    pub async fn webhook(&self, call: CallId) -> Result<Option<WebhookRow>, StoreError> {
        const SQL: &str = "SELECT owner_id, url, state, delivered_seq, tries, next_at \
            FROM webhooks JOIN calls ON calls.id = call_id WHERE call_id = $1";
        self.db.row(SQL, params![call]).await?.as_ref().map(webhook_of).transpose()
    }

    /// Notes an attempt and what follows from it, together. False when there is nothing to note it on: the call was
    /// deleted meanwhile, or a process that took over has delivered the event as well.
    pub async fn note_delivery(
        &self,
        call: CallId,
        delivery: &Delivery,
        next: WebhookNext,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let known = advance(&mut tx, call, delivery, next).await?;
        if known {
            log(&mut tx, call, delivery).await?;
        }
        tx.commit().await?;
        Ok(known)
    }

    /// The newest attempts of a call, in the order they were made.
    pub async fn deliveries(&self, call: CallId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        const SQL: &str = "SELECT seq, event, attempt, at, took_ms, status, error FROM webhook_deliveries \
            WHERE call_id = $1 ORDER BY seq DESC, attempt DESC LIMIT $2";
        let rows = self.db.rows(SQL, params![call, i64::from(limit)]).await?;
        rows.iter().rev().map(delivery_of).collect()
    }

    pub async fn webhook_secret(&self, owner: OwnerId) -> Result<WebhookSecretRow, StoreError> {
        const SQL: &str = "SELECT generation, rotated_at FROM webhook_secrets WHERE owner_id = $1";
        let row = self.db.row(SQL, params![owner]).await?;
        row.as_ref().map_or(Ok(WebhookSecretRow::default()), secret_of)
    }

    /// Puts another secret in the place of the present one; which it now is.
    pub async fn rotate_webhook_secret(
        &self,
        owner: OwnerId,
        at: Timestamp,
    ) -> Result<WebhookSecretRow, StoreError> {
        const SQL: &str = "INSERT INTO webhook_secrets (owner_id, generation, rotated_at) VALUES ($1, 1, $2) \
            ON CONFLICT (owner_id) DO UPDATE SET generation = webhook_secrets.generation + 1, rotated_at = $2 \
            RETURNING generation, rotated_at";
        let mut tx = self.db.begin().await?;
        let row = tx.row(SQL, params![owner, at]).await?.ok_or(StoreError::Gone)?;
        tx.commit().await?;
        secret_of(&row)
    }
}

/// Written with the row of its call.
pub(crate) async fn insert(tx: &mut Tx, call: CallId, url: &str) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO webhooks (call_id, url, state, delivered_seq, tries) \
        VALUES ($1, $2, 'open', 0, 0) ON CONFLICT (call_id) DO NOTHING";
    tx.execute(SQL, params![call, url]).await.map(drop)
}

async fn advance(
    tx: &mut Tx,
    call: CallId,
    delivery: &Delivery,
    next: WebhookNext,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE webhooks SET state = $2, tries = $3, next_at = $4, \
        delivered_seq = CASE WHEN $5 = 1 THEN $6 ELSE delivered_seq END \
        WHERE call_id = $1 AND state = 'open' AND delivered_seq < $6";
    let taken = matches!(next, WebhookNext::Taken | WebhookNext::Done);
    let (state, next_at) = match next {
        WebhookNext::Taken => (WebhookState::Open, None),
        WebhookNext::Done => (WebhookState::Done, None),
        WebhookNext::Again { at } => (WebhookState::Open, Some(at)),
        WebhookNext::Gone => (WebhookState::Gone, None),
        WebhookNext::GivenUp => (WebhookState::GivenUp, None),
    };
    let tries = if taken { 0 } else { i64::from(delivery.attempt) };
    let params = params![call, state.code(), tries, next_at, i64::from(taken), int(delivery.seq)];
    Ok(tx.execute(SQL, params).await? == 1)
}

async fn log(tx: &mut Tx, call: CallId, delivery: &Delivery) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO webhook_deliveries \
            (call_id, seq, attempt, event, at, took_ms, status, error) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (call_id, seq, attempt) DO NOTHING";
    let Delivery { seq, event, attempt, at, took_ms, status, error } = delivery;
    let params = params![
        call,
        int(*seq),
        i64::from(*attempt),
        event.as_str(),
        *at,
        i64::from(*took_ms),
        status.map(i64::from),
        error.as_deref(),
    ];
    tx.execute(SQL, params).await.map(drop)
}

fn int(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn webhook_of(row: &Row) -> Result<WebhookRow, StoreError> {
    Ok(WebhookRow {
        owner: row.parsed("owner_id", |id| id.parse().ok())?,
        url: row.text("url")?,
        state: row.parsed("state", WebhookState::from_code)?,
        delivered_seq: row.int("delivered_seq")?.max(0) as u64,
        tries: row.opt_number("tries")?.unwrap_or(0),
        next_at: row.opt_at("next_at")?,
    })
}

fn delivery_of(row: &Row) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        seq: row.int("seq")?.max(0) as u64,
        event: row.text("event")?,
        attempt: row.opt_number("attempt")?.unwrap_or(0),
        at: row.at("at")?,
        took_ms: row.opt_number("took_ms")?.unwrap_or(0),
        status: row.opt_number("status")?,
        error: row.get("error")?,
    })
}

fn secret_of(row: &Row) -> Result<WebhookSecretRow, StoreError> {
    Ok(WebhookSecretRow {
        generation: row.opt_number("generation")?.unwrap_or(0),
        rotated_at: row.opt_at("rotated_at")?,
    })
}
