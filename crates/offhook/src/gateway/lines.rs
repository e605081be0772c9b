//! Which of our lines a call may go out on. A line that is reserved is its account's alone, and carries one call at a
//! time.

use offhook_carrier::LineStatus;
use offhook_core::{OwnerId, PhoneNumber};
use offhook_store::{ReservedRow, StoreError};

use super::place::unreadable;
use super::{AccountError, Caller, Gateway, PlaceCallError};
use crate::admission::{NoPlace, Room};

/// A reserved line that is still one of ours.
#[derive(Clone, Debug)]
pub struct ActiveLine {
    pub id: i64,
    pub number: PhoneNumber,
}

/// The lines a call may go out on.
#[derive(Debug)]
pub(super) struct Usable {
    pub room: Room,
    /// The only one; any when `None`.
    pub line: Option<PhoneNumber>,
    /// Those that the user may be called from.
    pub of_user: Vec<PhoneNumber>,
    reserved: bool,
}

impl Usable {
    /// Why there is no place.
    pub fn refused(&self, no: NoPlace) -> PlaceCallError {
        match no {
            NoPlace::NoLine if self.reserved => PlaceCallError::ReservedNumberBusy,
            no => no.into(),
        }
    }
}

impl Gateway {
    /// The lines this caller's call may go out on: the one that is asked for, or all that are nobody's.
    pub(super) async fn usable_lines(
        &self,
        caller: Caller,
        from: Option<&PhoneNumber>,
    ) -> Result<Usable, PlaceCallError> {
        let rows = self.inner.store.reserved_lines().await.map_err(|error| unreadable(&error))?;
        let holder = |line: &LineStatus| rows.iter().find(|row| row.number == line.number.as_e164());
        let lines = self.inner.engine.carrier().lines();
        let Some(from) = from else {
            let free: Vec<&LineStatus> = lines.iter().filter(|line| holder(line).is_none()).collect();
            let usable = self.any_of(&free, free.len() < lines.len())?;
            return Ok(Usable { of_user: lines_of(caller.owner, &lines, &rows), ..usable });
        };
        let line = lines.iter().find(|line| line.number == *from);
        // Whose line it is, is nobody else's business.
        let own =
            |line: &&LineStatus| holder(line).is_none_or(|row| row.owner == caller.owner || caller.admin);
        let Some(line) = line.filter(own) else {
            let why = "is not one of our lines".to_owned();
            return Err(PlaceCallError::InvalidField { field: "from", why });
        };
        well(&[line])?;
        let reserved = holder(line).is_some();
        let room = Room { busy: line.busy, limit: if reserved { 1 } else { line.limit } };
        let of_user = lines_of(caller.owner, &lines, &rows);
        Ok(Usable { room, line: Some(from.clone()), of_user, reserved })
    }

    /// Any line of these; where there are others too the least busy one is chosen now, because the carrier would take
    /// any.
    fn any_of(&self, lines: &[&LineStatus], others: bool) -> Result<Usable, PlaceCallError> {
        well(lines)?;
        if !others {
            let none = Room { busy: 0, limit: 0 };
            let room = lines.iter().fold(none, |room, line| Room {
                busy: room.busy + line.busy,
                limit: room.limit + line.limit,
            });
            return Ok(Usable { room, line: None, of_user: Vec::new(), reserved: false });
        }
        let busy = |line: &LineStatus| line.busy.max(self.inner.admission.on_line(&line.number) as usize);
        let best = lines
            .iter()
            .min_by_key(|line| (busy(line) >= line.limit, line.registered == Some(false), busy(line)));
        let best = best.ok_or(PlaceCallError::NoLine)?;
        let room = Room { busy: best.busy, limit: best.limit };
        Ok(Usable { room, line: Some(best.number.clone()), of_user: Vec::new(), reserved: false })
    }

    /// The lines that the user of an owner's calls may be called from.
    pub(super) async fn lines_of_user(&self, owner: OwnerId) -> Result<Vec<PhoneNumber>, StoreError> {
        let rows = self.inner.store.reserved_lines().await?;
        Ok(lines_of(owner, &self.inner.engine.carrier().lines(), &rows))
    }

    /// The line that is reserved for the caller's account.
    ///
    /// Calls to our lines are for accounts that were given one; one whose line was since taken out of the
    /// configuration keeps what it had, and needs another to change it.
    pub(super) async fn active_line(&self, caller: Caller) -> Result<ActiveLine, AccountError> {
        let reserved = self.reserved_for(caller).await?;
        if reserved.is_empty() {
            return Err(AccountError::NoInbound);
        }
        self.active(&reserved).ok_or(AccountError::NoReservedNumber)
    }

    /// The lines that were reserved for the caller's account, whether they are still ours or not.
    pub(super) async fn reserved_for(&self, caller: Caller) -> Result<Vec<ReservedRow>, AccountError> {
        let reserved = self.inner.store.reserved_lines().await;
        let reserved = reserved.map_err(|error| super::account::unreadable(&error))?;
        Ok(reserved.into_iter().filter(|row| row.owner == caller.owner).collect())
    }

    pub(super) fn active(&self, reserved: &[ReservedRow]) -> Option<ActiveLine> {
        reserved.iter().find_map(|row| {
            let line = self.inner.settings.lines.iter().find(|line| line.as_e164() == row.number)?;
            Some(ActiveLine { id: row.id, number: line.clone() })
        })
    }

    /// Whose line this is; `None`: the operator's.
    pub(super) async fn holder_of(&self, line: &PhoneNumber) -> Result<Option<ReservedRow>, StoreError> {
        let reserved = self.inner.store.reserved_lines().await?;
        Ok(reserved.into_iter().find(|row| row.number == line.as_e164()))
    }
}

/// Those that are nobody's, or this owner's: the best one first.
fn lines_of(owner: OwnerId, lines: &[LineStatus], reserved: &[ReservedRow]) -> Vec<PhoneNumber> {
    let usable = |line: &&LineStatus| {
        let holder = reserved.iter().find(|row| row.number == line.number.as_e164());
        holder.is_none_or(|row| row.owner == owner)
    };
    let mut usable: Vec<&LineStatus> = lines.iter().filter(usable).collect();
    usable.sort_by_key(|line| (line.registered == Some(false), line.busy));
    usable.into_iter().map(|line| line.number.clone()).collect()
}

/// Whether any of these can be dialled on: a trunk that has not registered us takes no calls.
fn well(lines: &[&LineStatus]) -> Result<(), PlaceCallError> {
    let all_away = !lines.is_empty() && lines.iter().all(|line| line.registered == Some(false));
    if all_away { Err(PlaceCallError::DialFailed) } else { Ok(()) }
}
