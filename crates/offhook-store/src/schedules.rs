//! Calls that are placed by the clock, and what became of each time they were due.
//!
//! A run is done by whoever moves the schedule on from the time it was due, in one statement that writes down the run
//! too: of any who try, one does it, whichever node it is. Nothing else decides what is run.

use std::fmt;

use offhook_core::{CallId, OwnerId, ScheduleId, Timestamp};

use crate::calls::{Idempotency, hex};
use crate::db::{Db, Row, Tx, params};
use crate::{Store, StoreError};

/// Runs of a schedule that are kept.
const KEPT_RUNS: i64 = 100;

#[derive(Clone)]
pub struct NewSchedule {
    pub id: ScheduleId,
    pub owner: OwnerId,
    /// A JSON object.
    pub request: String,
    pub enabled: bool,
    pub next_due_at: Option<Timestamp>,
    pub idempotency: Option<Idempotency>,
    pub created_at: Timestamp,
    /// So many an owner may have.
    pub most: u32,
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertedSchedule {
    New,
    Existing(ScheduleId),
    KeyReused,
    /// The owner has as many as it may.
    TooMany,
    UnknownOwner,
}

#[derive(Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    pub id: ScheduleId,
    pub owner: OwnerId,
    pub request: String,
    pub enabled: bool,
    pub next_due_at: Option<Timestamp>,
    /// What the condition saw last.
    pub seen: Option<String>,
    pub last_called_at: Option<Timestamp>,
    pub missed: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How a run ended, or that it has not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    Running,
    /// A call was placed.
    Called,
    /// The condition did not hold.
    NotMet,
    /// Whether it holds could not be told.
    Unclear,
    /// The rules did not let the call happen.
    Refused,
    /// It held, and there was a call a moment ago.
    CoolingDown,
    /// Nobody was there when it was due.
    Missed,
    /// The run before it was not over.
    Overlapped,
    /// offhook ended in the middle of it.
    Interrupted,
}

impl RunState {
    pub const ALL: [RunState; 9] = [
        Self::Running,
        Self::Called,
        Self::NotMet,
        Self::Unclear,
        Self::Refused,
        Self::CoolingDown,
        Self::Missed,
        Self::Overlapped,
        Self::Interrupted,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Called => "called",
            Self::NotMet => "not_met",
            Self::Unclear => "unclear",
            Self::Refused => "refused",
            Self::CoolingDown => "cooling_down",
            Self::Missed => "missed",
            Self::Overlapped => "overlapped",
            Self::Interrupted => "interrupted",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct RunRow {
    pub schedule: ScheduleId,
    pub due_at: Timestamp,
    pub state: RunState,
    /// How many runs were missed; one otherwise.
    pub times: u64,
    pub began_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub call: Option<CallId>,
    /// A JSON object.
    pub evidence: Option<String>,
    pub refusal: Option<RunRefusal>,
}

/// Why there was no call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRefusal {
    pub code: String,
    /// `Rule::code`, where one refused it.
    pub rule: Option<String>,
    pub message: String,
}

/// How a schedule is moved on from the time it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub schedule: ScheduleId,
    /// Only where this is still the time it is due.
    pub due_at: Timestamp,
    pub next_due_at: Option<Timestamp>,
    /// The run that is done now.
    pub run: Option<Timestamp>,
    /// Runs nobody was there for: the first, and how many.
    pub missed: Option<(Timestamp, u32)>,
    pub now: Timestamp,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// The run is whoever's who asked.
    Taken,
    /// The run before it is not over; this one is written down as that.
    Overlapped,
    /// There was nothing to run.
    Moved,
    /// Somebody else was faster, or it was changed.
    Lost,
}

/// What became of a run.
#[derive(Clone)]
pub struct RunEnd {
    pub state: RunState,
    pub call: Option<CallId>,
    pub evidence: Option<String>,
    pub refusal: Option<RunRefusal>,
    /// What the condition saw; what it saw before when `None`.
    pub seen: Option<String>,
    pub at: Timestamp,
}

/// Without the words and the numbers.
impl fmt::Debug for NewSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSchedule").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for ScheduleRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, enabled, next_due_at, .. } = self;
        let mut shown = f.debug_struct("ScheduleRow");
        shown.field("id", id).field("enabled", enabled).field("next_due_at", next_due_at);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for RunRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { due_at, state, times, call, .. } = self;
        let mut shown = f.debug_struct("RunRow");
        shown.field("due_at", due_at).field("state", state).field("times", times).field("call", call);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, call, .. } = self;
        f.debug_struct("RunEnd").field("state", state).field("call", call).finish_non_exhaustive()
    }
}

macro_rules! select_schedules {
    ($tail:literal) => {
        concat!(
            "SELECT id, owner_id, request, enabled, next_due_at, seen, last_called_at, missed, created_at, \
             updated_at FROM schedules ",
            $tail
        )
    };
}

macro_rules! select_runs {
    ($tail:literal) => {
        concat!(
            "SELECT schedule_id, due_at, state, times, began_at, ended_at, call_id, evidence, code, rule, message \
             FROM schedule_runs ",
            $tail
        )
    };
}

impl Store {
    /// Writes a schedule, unless its idempotency key stands for one already, or its owner has enough of them.
    pub async fn insert_schedule(&self, new: &NewSchedule) -> Result<InsertedSchedule, StoreError> {
        let mut tx = self.db.begin().await?;
        let inserted = insert(&mut tx, new).await?;
        tx.commit().await?;
        Ok(inserted)
    }

    pub async fn schedule(&self, id: ScheduleId) -> Result<Option<ScheduleRow>, StoreError> {
        const SQL: &str = select_schedules!("WHERE id = $1");
        self.db.row(SQL, params![id]).await?.as_ref().map(schedule_of).transpose()
    }

    /// The schedules of an owner, or of everybody; the newest first.
    pub async fn schedules(
        &self,
        owner: Option<OwnerId>,
        limit: u32,
    ) -> Result<Vec<ScheduleRow>, StoreError> {
        const OWN: &str = select_schedules!("WHERE owner_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
        const ALL: &str = select_schedules!("ORDER BY created_at DESC, id DESC LIMIT $1");
        let limit = i64::from(limit);
        let rows = match owner {
            Some(owner) => self.db.rows(OWN, params![owner, limit]).await?,
            None => self.db.rows(ALL, params![limit]).await?,
        };
        rows.iter().map(schedule_of).collect()
    }

    /// What was asked for, in the place of what there was. Only where it was not changed meanwhile.
    pub async fn change_schedule(
        &self,
        before: &ScheduleRow,
        request: &str,
        enabled: bool,
        next_due_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE schedules SET request = $2, enabled = $3, next_due_at = $4, updated_at = $5 \
            WHERE id = $1 AND request = $6 AND enabled = $7";
        let params = params![
            before.id,
            request,
            i64::from(enabled),
            next_due_at,
            at,
            before.request.as_str(),
            i64::from(before.enabled),
        ];
        Ok(self.db.execute(SQL, params).await? == 1)
    }

    /// False when there was none.
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM schedules WHERE id = $1";
        Ok(self.db.execute(SQL, params![id]).await? == 1)
    }

    /// Those that are due by then, the first one first.
    pub async fn due_schedules(&self, by: Timestamp, limit: u32) -> Result<Vec<ScheduleRow>, StoreError> {
        const SQL: &str = select_schedules!(
            "WHERE enabled = 1 AND next_due_at IS NOT NULL AND next_due_at <= $1 ORDER BY next_due_at, id LIMIT $2"
        );
        let rows = self.db.rows(SQL, params![by, i64::from(limit)]).await?;
        // One row that this version can't read must not keep the others from running.
        let read = |row: &Row| {
            schedule_of(row).inspect_err(|error| tracing::warn!(%error, "skipped a schedule")).ok()
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// When the next one is due.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "SELECT next_due_at FROM schedules WHERE enabled = 1 AND next_due_at IS NOT NULL ORDER BY next_due_at LIMIT 1";
        self.db.row(SQL, vec![]).await?.map(|row| row.at("next_due_at")).transpose()
    }

    /// Move a schedule on from the time it was due; of any who try, one does.
    pub async fn step_schedule(&self, step: &Step) -> Result<Stepped, StoreError> {
        const MOVE: &str = "UPDATE schedules SET next_due_at = $3, missed = missed + $4 \
            WHERE id = $1 AND next_due_at = $2 AND enabled = 1";
        let mut tx = self.db.begin().await?;
        let missed = step.missed.map_or(0, |(_, count)| i64::from(count));
        if tx.execute(MOVE, params![step.schedule, step.due_at, step.next_due_at, missed]).await? == 0 {
            return Ok(Stepped::Lost);
        }
        if let Some((due_at, count)) = step.missed {
            let params = params![step.schedule, due_at, "missed", i64::from(count), step.now, step.now];
            tx.execute(INSERT_RUN, params).await?;
        }
        let stepped = match step.run {
            None => Stepped::Moved,
            Some(due_at) => begin_run(&mut tx, step.schedule, due_at, step.now).await?,
        };
        prune(&mut tx, step.schedule).await?;
        tx.commit().await?;
        Ok(stepped)
    }

    /// Begin a run that is not of the schedule's own time.
    pub async fn begin_run(
        &self,
        schedule: ScheduleId,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<Stepped, StoreError> {
        let mut tx = self.db.begin().await?;
        let begun = begin_run(&mut tx, schedule, due_at, now).await?;
        prune(&mut tx, schedule).await?;
        tx.commit().await?;
        Ok(begun)
    }

    /// What became of a run. False when it was over, or gone with its schedule.
    pub async fn end_run(
        &self,
        schedule: ScheduleId,
        due_at: Timestamp,
        end: &RunEnd,
    ) -> Result<bool, StoreError> {
        const END: &str = "UPDATE schedule_runs SET state = $3, ended_at = $4, call_id = $5, evidence = $6, \
            code = $7, rule = $8, message = $9 WHERE schedule_id = $1 AND due_at = $2 AND state = 'running'";
        const SEEN: &str = "UPDATE schedules SET seen = $2 WHERE id = $1";
        const CALLED: &str = "UPDATE schedules SET last_called_at = $2 WHERE id = $1";
        let refusal = end.refusal.clone();
        let mut tx = self.db.begin().await?;
        let params = params![
            schedule,
            due_at,
            end.state.code(),
            end.at,
            end.call,
            end.evidence.clone(),
            refusal.as_ref().map(|refusal| refusal.code.clone()),
            refusal.as_ref().and_then(|refusal| refusal.rule.clone()),
            refusal.map(|refusal| refusal.message),
        ];
        let ended = tx.execute(END, params).await? == 1;
        if ended && let Some(seen) = &end.seen {
            tx.execute(SEEN, params![schedule, seen.as_str()]).await?;
        }
        if ended && end.state == RunState::Called {
            tx.execute(CALLED, params![schedule, end.at]).await?;
        }
        tx.commit().await?;
        Ok(ended)
    }

    /// The runs of a schedule, the last one first.
    pub async fn runs(&self, schedule: ScheduleId, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        const SQL: &str = select_runs!("WHERE schedule_id = $1 ORDER BY due_at DESC LIMIT $2");
        let rows = self.db.rows(SQL, params![schedule, i64::from(limit)]).await?;
        rows.iter().map(run_of).collect()
    }

    /// The runs that did not come to their end: what a start finds left over.
    pub async fn unfinished_runs(&self) -> Result<Vec<RunRow>, StoreError> {
        const SQL: &str = select_runs!("WHERE state = 'running' ORDER BY due_at, schedule_id");
        self.db.rows(SQL, vec![]).await?.iter().map(run_of).collect()
    }

    /// When an owner's user was called by an agent of its own accord, since then: how often, first, and last. A call
    /// that was asked for before counts from when it is dialled: while it waits not at all, once it began as of now.
    pub async fn proactive_calls(
        &self,
        owner: OwnerId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(u32, Option<Timestamp>, Option<Timestamp>), StoreError> {
        const SQL: &str = "SELECT COUNT(*) AS calls, MIN(begun_at) AS first_at, MAX(begun_at) AS last_at FROM \
            (SELECT COALESCE(dialing_at, CASE WHEN not_before IS NULL THEN queued_at ELSE $3 END) AS begun_at \
            FROM calls WHERE proactive = 1 AND owner_id = $1 AND waits = 0 \
            AND (dialing_at IS NOT NULL OR not_before IS NULL OR finalized_at IS NULL)) AS begun \
            WHERE begun_at > $2";
        let row = self.db.row(SQL, params![owner, since, now]).await?.ok_or(StoreError::Gone)?;
        let calls = u32::try_from(row.int("calls")?).unwrap_or(u32::MAX);
        Ok((calls, row.opt_at("first_at")?, row.opt_at("last_at")?))
    }

    /// What a user wishes of such calls, a JSON object.
    pub async fn proactive_wishes(&self, owner: OwnerId) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT wishes FROM proactive WHERE owner_id = $1";
        self.db.row(SQL, params![owner]).await?.map(|row| row.text("wishes")).transpose()
    }

    /// False when there is no such owner.
    pub async fn set_proactive_wishes(
        &self,
        owner: OwnerId,
        wishes: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO proactive (owner_id, wishes, updated_at) \
            SELECT $1, $2, $3 WHERE EXISTS (SELECT 1 FROM owners WHERE id = $1) \
            ON CONFLICT (owner_id) DO UPDATE SET wishes = excluded.wishes, updated_at = excluded.updated_at";
        Ok(self.db.execute(SQL, params![owner, wishes, at]).await? == 1)
    }
}

const KEY_HOLDER: &str =
    "SELECT id, request_hash FROM schedules WHERE owner_id = $1 AND idempotency_key = $2";

const INSERT_RUN: &str = "INSERT INTO schedule_runs (schedule_id, due_at, state, times, began_at, ended_at) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

async fn insert(tx: &mut Tx, new: &NewSchedule) -> Result<InsertedSchedule, StoreError> {
    // On PostgreSQL too the owner's schedules are counted by one at a time.
    const OWNER: &str = "UPDATE owners SET label = label WHERE id = $1";
    const COUNT: &str = "SELECT COUNT(*) AS schedules FROM schedules WHERE owner_id = $1";
    const SQL: &str = "INSERT INTO schedules (id, owner_id, request, enabled, next_due_at, missed, \
            idempotency_key, request_hash, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $8)";
    if tx.execute(OWNER, params![new.owner]).await? == 0 {
        return Ok(InsertedSchedule::UnknownOwner);
    }
    let (key, hash) = match &new.idempotency {
        Some(Idempotency { key, request_hash }) => (Some(key.as_str()), Some(hex(request_hash))),
        None => (None, None),
    };
    if let Some(key) = key
        && let Some(holder) = tx.row(KEY_HOLDER, params![new.owner, key]).await?
    {
        return match Some(holder.text("request_hash")?) == hash {
            true => holder.parsed("id", |id| id.parse().ok()).map(InsertedSchedule::Existing),
            false => Ok(InsertedSchedule::KeyReused),
        };
    }
    let count = tx.row(COUNT, params![new.owner]).await?.ok_or(StoreError::Gone)?;
    if count.int("schedules")? >= i64::from(new.most) {
        return Ok(InsertedSchedule::TooMany);
    }
    let params = params![
        new.id,
        new.owner,
        new.request.as_str(),
        i64::from(new.enabled),
        new.next_due_at,
        key,
        hash,
        new.created_at,
    ];
    tx.execute(SQL, params).await?;
    Ok(InsertedSchedule::New)
}

async fn begin_run(
    tx: &mut Tx,
    schedule: ScheduleId,
    due_at: Timestamp,
    now: Timestamp,
) -> Result<Stepped, StoreError> {
    // Whoever begins a run of this schedule at the same time waits here.
    const LOCK: &str = "UPDATE schedules SET updated_at = updated_at WHERE id = $1";
    const UNDER_WAY: &str =
        "SELECT due_at FROM schedule_runs WHERE schedule_id = $1 AND state = 'running' LIMIT 1";
    if tx.execute(LOCK, params![schedule]).await? == 0 {
        return Ok(Stepped::Lost);
    }
    let overlaps = tx.row(UNDER_WAY, params![schedule]).await?.is_some();
    let (state, ended_at) = if overlaps { ("overlapped", Some(now)) } else { ("running", None) };
    let written = tx.execute(INSERT_RUN, params![schedule, due_at, state, 1, now, ended_at]).await?;
    Ok(match (written, overlaps) {
        (0, _) => Stepped::Lost,
        (_, true) => Stepped::Overlapped,
        (_, false) => Stepped::Taken,
    })
}

/// Runs that were over before then.
pub(crate) async fn purge(db: &Db, before: Timestamp) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM schedule_runs WHERE ended_at < $1";
    db.execute(SQL, params![before]).await
}

/// Only so many runs are kept; one that is under way always is.
async fn prune(tx: &mut Tx, schedule: ScheduleId) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM schedule_runs WHERE schedule_id = $1 AND state <> 'running' AND due_at < \
        (SELECT MIN(due_at) FROM (SELECT due_at FROM schedule_runs WHERE schedule_id = $1 \
            ORDER BY due_at DESC LIMIT $2) AS kept)";
    tx.execute(SQL, params![schedule, KEPT_RUNS]).await.map(drop)
}

fn schedule_of(row: &Row) -> Result<ScheduleRow, StoreError> {
    Ok(ScheduleRow {
        id: row.parsed("id", |id| id.parse().ok())?,
        owner: row.parsed("owner_id", |id| id.parse().ok())?,
        request: row.text("request")?,
        enabled: row.int("enabled")? == 1,
        next_due_at: row.opt_at("next_due_at")?,
        seen: row.get("seen")?,
        last_called_at: row.opt_at("last_called_at")?,
        missed: row.int("missed")?.max(0) as u64,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}

fn run_of(row: &Row) -> Result<RunRow, StoreError> {
    let (code, message): (Option<String>, Option<String>) = (row.get("code")?, row.get("message")?);
    let rule: Option<String> = row.get("rule")?;
    Ok(RunRow {
        schedule: row.parsed("schedule_id", |id| id.parse().ok())?,
        due_at: row.at("due_at")?,
        state: row.parsed("state", RunState::from_code)?,
        times: row.int("times")?.max(0) as u64,
        began_at: row.at("began_at")?,
        ended_at: row.opt_at("ended_at")?,
        call: row.opt_parsed("call_id", |id| id.parse().ok())?,
        evidence: row.get("evidence")?,
        refusal: code.zip(message).map(|(code, message)| RunRefusal { code, rule, message }),
    })
}
