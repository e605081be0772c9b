//! The seam between the two databases: one SQL text, one closed set of parameter types, one row accessor.
//!
//! Both drivers understand `$1` placeholders, `ON CONFLICT … DO NOTHING`, `RETURNING`, partial indexes and deferred
//! foreign keys, so every statement of this crate is one static text. Only [`Db`] and [`Tx`] know which it is.

use std::path::Path;
use std::sync::Arc;

use offhook_core::{ApprovalId, CallId, CampaignId, OwnerId, ScheduleId, Timestamp};
use sqlx::postgres::{PgPool, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{Decode, Row as _, Transaction, Type};

use crate::StoreError;

/// A parameter of a statement. PostgreSQL types its parameters, so a null has a type too.
#[derive(Clone)]
pub(crate) enum Param {
    Int(Option<i64>),
    Text(Option<String>),
}

impl Param {
    pub const NO_INT: Param = Param::Int(None);
    pub const NO_TEXT: Param = Param::Text(None);
}

/// PostgreSQL text can't hold NUL; both databases store the replacement character, so that both read the same.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl From<i64> for Param {
    fn from(int: i64) -> Self {
        Self::Int(Some(int))
    }
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Self::Text(Some(storable(text)))
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Timestamp> for Param {
    fn from(at: Timestamp) -> Self {
        at.unix_micros().into()
    }
}

impl From<CallId> for Param {
    fn from(id: CallId) -> Self {
        Self::Text(Some(id.to_string()))
    }
}

impl From<ApprovalId> for Param {
    fn from(id: ApprovalId) -> Self {
        Self::Text(Some(id.to_string()))
    }
}

impl From<CampaignId> for Param {
    fn from(id: CampaignId) -> Self {
        Self::Text(Some(id.to_string()))
    }
}

impl From<ScheduleId> for Param {
    fn from(id: ScheduleId) -> Self {
        Self::Text(Some(id.to_string()))
    }
}

impl From<OwnerId> for Param {
    fn from(id: OwnerId) -> Self {
        Self::Text(Some(id.to_string()))
    }
}

macro_rules! optional_params {
    ($($ty:ty => $null:expr),* $(,)?) => {$(
        impl From<Option<$ty>> for Param {
            fn from(value: Option<$ty>) -> Self {
                value.map_or($null, Into::into)
            }
        }
    )*};
}

optional_params! {
    i64 => Param::NO_INT,
    Timestamp => Param::NO_INT,
    String => Param::NO_TEXT,
    &str => Param::NO_TEXT,
    OwnerId => Param::NO_TEXT,
    CallId => Param::NO_TEXT,
    CampaignId => Param::NO_TEXT,
    ScheduleId => Param::NO_TEXT,
}

/// The list of parameters of a statement, each converted.
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Param::from($value)),*] };
}
pub(crate) use params;

pub(crate) enum Row {
    Lite(SqliteRow),
    Pg(PgRow),
}

impl Row {
    pub fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        let value = match self {
            Self::Lite(row) => row.try_get(column),
            Self::Pg(row) => row.try_get(column),
        };
        value.map_err(|_| StoreError::Unreadable { column })
    }

    pub fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub fn at(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_unix_micros)
    }

    pub fn opt_at(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_unix_micros))
    }

    /// A column whose text must parse.
    pub fn parsed<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(&self.text(column)?).ok_or(StoreError::Unreadable { column })
    }

    /// A column that is null or whose text must parse.
    pub fn opt_parsed<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.get::<Option<String>>(column)? {
            Some(text) => parse(&text).map(Some).ok_or(StoreError::Unreadable { column }),
            None => Ok(None),
        }
    }

    /// A column that is null or a number of a narrower type.
    pub fn opt_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        match self.get::<Option<i64>>(column)? {
            Some(int) => T::try_from(int).map(Some).map_err(|_| StoreError::Unreadable { column }),
            None => Ok(None),
        }
    }
}

/// The connections.
///
/// SQLite: WAL lets readers go on beside the one writer, so there is one connection that writes, and writers queue
/// for it in the pool instead of meeting as "database is locked". An in-memory database is one connection in all.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    Lite {
        rd: SqlitePool,
        wr: SqlitePool,
        /// `None`: in memory.
        file: Option<Arc<Path>>,
    },
    Pg(PgPool),
}

/// A transaction that writes. Dropping it rolls back. While one is held, only it may be used: over an in-memory
/// database there is no second connection.
pub(crate) enum Tx {
    Lite(Transaction<'static, Sqlite>),
    Pg(Transaction<'static, Postgres>),
}

macro_rules! query {
    ($db:ty, $sql:expr, $params:expr) => {
        $params.into_iter().fold(sqlx::query::<$db>($sql), |query, param| match param {
            Param::Int(int) => query.bind(int),
            Param::Text(text) => query.bind(text),
        })
    };
}

impl Db {
    /// Starts a transaction. `BEGIN IMMEDIATE`, because a SQLite transaction that turns from reading to writing
    /// fails at once when another process writes, whatever the busy timeout.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Lite { wr, .. } => Tx::Lite(wr.begin_with("BEGIN IMMEDIATE").await?),
            Self::Pg(pool) => Tx::Pg(pool.begin().await?),
        })
    }

    pub async fn execute(&self, sql: &'static str, params: Vec<Param>) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Lite { wr, .. } => query!(Sqlite, sql, params).execute(wr).await?.rows_affected(),
            Self::Pg(pool) => query!(Postgres, sql, params).execute(pool).await?.rows_affected(),
        })
    }

    pub async fn rows(&self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Lite { rd, .. } => lite(query!(Sqlite, sql, params).fetch_all(rd).await?),
            Self::Pg(pool) => pg(query!(Postgres, sql, params).fetch_all(pool).await?),
        })
    }

    pub async fn row(&self, sql: &'static str, params: Vec<Param>) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }
}

impl Tx {
    pub async fn execute(&mut self, sql: &'static str, params: Vec<Param>) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Lite(tx) => query!(Sqlite, sql, params).execute(&mut **tx).await?.rows_affected(),
            Self::Pg(tx) => query!(Postgres, sql, params).execute(&mut **tx).await?.rows_affected(),
        })
    }

    pub async fn rows(&mut self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Lite(tx) => lite(query!(Sqlite, sql, params).fetch_all(&mut **tx).await?),
            Self::Pg(tx) => pg(query!(Postgres, sql, params).fetch_all(&mut **tx).await?),
        })
    }

    pub async fn row(&mut self, sql: &'static str, params: Vec<Param>) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Lite(tx) => tx.commit().await?,
            Self::Pg(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

fn lite(rows: Vec<SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Lite).collect()
}

fn pg(rows: Vec<PgRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Pg).collect()
}
