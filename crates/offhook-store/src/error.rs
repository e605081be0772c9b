//! What can go wrong with any statement.

use sqlx::error::ErrorKind;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database is overloaded; try again shortly")]
    Busy,
    #[error("the disk of the database is full; free some space")]
    Full,
    /// A row was deleted by somebody else in the middle of a write; the write did not happen.
    #[error("a row this depends on is gone; look it up again")]
    Gone,
    /// PostgreSQL: two writers waited for each other, or one saw what the other changed; neither write happened.
    #[error("another write crossed this one; try again")]
    Crossed,
    #[error("a row with this id exists already")]
    Duplicate,
    #[error("column {column} holds what this version of offhook can't read; was it written by a newer one?")]
    Unreadable { column: &'static str },
    #[error("the database can't be used right now; try again shortly: {0}")]
    Unavailable(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Database(database) => match (database.kind(), database.code().as_deref()) {
                (ErrorKind::ForeignKeyViolation, _) => Self::Gone,
                (ErrorKind::UniqueViolation, _) => Self::Duplicate,
                // SQLITE_BUSY and its extended codes.
                (_, Some("5" | "261" | "517" | "773")) => Self::Busy,
                // Serialization failure, deadlock.
                (_, Some("40001" | "40P01")) => Self::Crossed,
                // SQLITE_FULL; PostgreSQL: disk_full.
                (_, Some("13" | "53100")) => Self::Full,
                _ => Self::Unavailable(error),
            },
            _ => Self::Unavailable(error),
        }
    }
}
