//! Who may start a call just now: the policy's rules over a book of the calls that are under way.
//!
//! A call takes its place in the book, in memory and under a lock that is held for no longer than that, before it is
//! written down: however many are placed at once, no limit is passed, and none waits for another's commit. A call
//! that could not be written gives its place back.
//!
//! What the book must know of earlier calls, it reads from the store when it first hears of an owner or a number, and
//! forgets it when none of theirs is under way any more.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_core::policy::{Allow, Ask, Facts, Policy, Recent, Refusal};
use offhook_core::{OwnerId, PhoneNumber, Timestamp};
use offhook_store::{Store, StoreError};

use crate::clock;

/// The day of the daily limits is any 24 hours.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whose limits a call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    Owner(OwnerId),
    /// All who were given their key on their first call, together: else whoever wants more than one owner may have
    /// would drop the key and get another.
    Anonymous,
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Account(Account),
    Destination(PhoneNumber),
}

/// Cheap to clone; all clones share the book.
#[derive(Clone, Debug)]
pub struct Admission {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    policy: Policy,
    /// Our own numbers.
    lines: Vec<PhoneNumber>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    live: u32,
    /// Live calls by the line that was asked for.
    on_line: HashMap<PhoneNumber, u32>,
    tallies: HashMap<Counted, Tally>,
}

/// What is known of one owner or number.
#[derive(Debug, Default)]
struct Tally {
    live: u32,
    /// Requests that look at it; while there are any it is kept.
    visits: u32,
    /// `None`: not read from the store yet.
    day: Option<Day>,
}

/// The newest outbound calls, no more than the limit they are held against, and when the last one was over.
#[derive(Debug, Default)]
struct Day {
    /// Oldest first.
    placed_at: VecDeque<Timestamp>,
    ended_at: Option<Timestamp>,
}

/// Why there is no place.
#[derive(Debug)]
pub enum NoPlace {
    Refused(Refusal),
    /// The lines that may be used carry as many calls as they can.
    NoLine,
}

/// The lines a call may go out on: what they carry now, as the carrier counts it, and what they can.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub busy: usize,
    pub limit: usize,
}

impl Admission {
    pub fn new(policy: Policy, lines: Vec<PhoneNumber>) -> Self {
        Self { inner: Arc::new(Inner { policy, lines, book: Mutex::default() }) }
    }

    /// Whether this number may be called at all, however little is going on.
    pub fn check_destination(&self, number: &PhoneNumber) -> Result<(), Refusal> {
        let facts = Facts { own_lines: &self.inner.lines, ..Facts::default() };
        self.inner.policy.decide(&Ask::outbound(number), &facts, clock::now()).into_result().map(drop)
    }

    /// Look up what the rules need to know for a call of this account to this number.
    pub async fn visit(
        &self,
        store: &Store,
        account: Account,
        destination: &PhoneNumber,
    ) -> Result<Visit, StoreError> {
        let keys = [Counted::Account(account), Counted::Destination(destination.clone())];
        let visit = Visit { admission: self.clone(), keys };
        let unknown = {
            let mut book = self.book();
            visit.keys.each_ref().map(|key| {
                let tally = book.tallies.entry(key.clone()).or_default();
                tally.visits += 1;
                tally.day.is_none()
            })
        };
        for (key, _) in visit.keys.iter().zip(unknown).filter(|(_, unknown)| *unknown) {
            let day = self.read(store, key).await?;
            // Another visit may have read it meanwhile, and calls may have been added to that.
            self.book().tallies.entry(key.clone()).or_default().day.get_or_insert(day);
        }
        Ok(visit)
    }

    async fn read(&self, store: &Store, key: &Counted) -> Result<Day, StoreError> {
        let (since, limit) = (clock::now() - DAY, self.kept(key));
        let newest = match key {
            Counted::Account(Account::Owner(owner)) => store.newest_calls_of(*owner, since, limit).await?,
            Counted::Account(Account::Anonymous) => store.newest_calls_of_minted_keys(since, limit).await?,
            Counted::Destination(to) => store.newest_calls_to(to.as_e164(), since, limit).await?,
        };
        let ended_at = match key {
            Counted::Destination(to) if !self.inner.policy.config().cool_down.is_zero() => {
                store.last_call_to_ended_at(to.as_e164()).await?
            }
            _ => None,
        };
        Ok(Day { placed_at: newest.into_iter().rev().collect(), ended_at })
    }

    /// How many calls of a day are worth knowing.
    fn kept(&self, key: &Counted) -> u32 {
        let config = self.inner.policy.config();
        match key {
            Counted::Account(_) => config.calls_per_day_per_owner,
            Counted::Destination(_) => config.calls_per_day_per_destination,
        }
    }

    /// A place for a call that reached us.
    pub fn take_inbound(&self, owner: OwnerId, now: Timestamp) -> Result<(Allow, Place), Refusal> {
        let account = Counted::Account(Account::Owner(owner));
        let mut book = self.book();
        let facts = Facts {
            own_lines: &self.inner.lines,
            live_calls: book.live,
            live_calls_of_owner: book.tallies.get(&account).map_or(0, |tally| tally.live),
            ..Facts::default()
        };
        let allow = self.inner.policy.decide(&Ask::inbound(), &facts, now).into_result()?;
        book.enter(std::slice::from_ref(&account), None);
        Ok((allow, self.place(vec![account], None, None)))
    }

    fn place(&self, keys: Vec<Counted>, line: Option<PhoneNumber>, placed_at: Option<Timestamp>) -> Place {
        Place { admission: self.clone(), keys, line, placed_at, kept: false }
    }

    /// Calls under way.
    pub fn live(&self) -> u32 {
        self.book().live
    }

    /// Owners and numbers that are kept in memory.
    #[doc(hidden)]
    pub fn tallies(&self) -> usize {
        self.book().tallies.len()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A panic while the book was held leaves it usable: counts are changed in pairs, one statement each.
        self.inner.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that has looked up what is known of its owner and its number.
#[derive(Debug)]
pub struct Visit {
    admission: Admission,
    /// The account and the destination.
    keys: [Counted; 2],
}

impl Visit {
    /// Decide, and take the place if there is one.
    pub fn take(self, ask: &Ask<'_>, room: Room, now: Timestamp) -> Result<(Allow, Place), NoPlace> {
        let inner = &self.admission.inner;
        let mut book = self.admission.book();
        let [account, destination] = self.keys.each_ref().map(|key| book.seen(key, now));
        let facts = Facts {
            own_lines: &inner.lines,
            live_calls: book.live,
            live_calls_of_owner: account.live,
            live_calls_to_destination: destination.live,
            calls_of_owner: account.recent,
            calls_to_destination: destination.recent,
            last_call_to_destination_ended_at: destination.ended_at,
            ..Facts::default()
        };
        let allow = inner.policy.decide(ask, &facts, now).into_result().map_err(NoPlace::Refused)?;
        // A call that was let in takes its line a moment later, when its model is ready; one that is over gives its
        // line back a moment later, when the far end has confirmed.
        let let_in = ask.line.map_or(book.live, |line| book.on_line.get(line).copied().unwrap_or(0));
        if room.busy.max(let_in as usize) >= room.limit {
            return Err(NoPlace::NoLine);
        }
        book.enter(&self.keys, ask.line);
        for key in &self.keys {
            book.count(key, now, self.admission.kept(key));
        }
        drop(book);
        Ok((allow, self.admission.place(self.keys.to_vec(), ask.line.cloned(), Some(now))))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut book = self.admission.book();
        for key in &self.keys {
            book.with(key, |tally| tally.visits -= 1);
        }
    }
}

/// A call's place in the book; dropping it gives it back. A call that was written down still counts for its day.
#[derive(Debug)]
pub struct Place {
    admission: Admission,
    keys: Vec<Counted>,
    line: Option<PhoneNumber>,
    /// Of an outbound call: what it counts as in the limits of a day.
    placed_at: Option<Timestamp>,
    kept: bool,
}

impl Place {
    /// The call is in the store.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = clock::now();
        let mut book = self.admission.book();
        book.live -= 1;
        if let Some(line) = &self.line
            && let Some(calls) = book.on_line.get_mut(line)
        {
            *calls -= 1;
        }
        for key in &self.keys {
            book.with(key, |tally| {
                tally.live -= 1;
                let Some((day, placed_at)) = tally.day.as_mut().zip(self.placed_at) else { return };
                if self.kept {
                    day.ended_at = day.ended_at.max(Some(now));
                } else {
                    day.forget(placed_at);
                }
            });
        }
    }
}

/// What the rules look at.
struct Seen {
    live: u32,
    recent: Recent,
    ended_at: Option<Timestamp>,
}

impl Book {
    fn seen(&mut self, key: &Counted, now: Timestamp) -> Seen {
        let tally = self.tallies.entry(key.clone()).or_default();
        let day = tally.day.get_or_insert_default();
        while day.placed_at.front().is_some_and(|placed_at| *placed_at < now - DAY) {
            day.placed_at.pop_front();
        }
        let recent = Recent { count: day.placed_at.len() as u32, oldest_at: day.placed_at.front().copied() };
        Seen { live: tally.live, recent, ended_at: day.ended_at }
    }

    fn enter(&mut self, keys: &[Counted], line: Option<&PhoneNumber>) {
        self.live += 1;
        for key in keys {
            self.tallies.entry(key.clone()).or_default().live += 1;
        }
        if let Some(line) = line {
            *self.on_line.entry(line.clone()).or_default() += 1;
        }
    }

    fn count(&mut self, key: &Counted, now: Timestamp, kept: u32) {
        let Some(tally) = self.tallies.get_mut(key) else { return };
        let Some(day) = &mut tally.day else { return };
        day.placed_at.push_back(now);
        // Calls that are exempt from the limit, those of the sandbox, may be more. Those under way may yet be
        // forgotten again.
        while day.placed_at.len() > kept.saturating_add(tally.live) as usize {
            day.placed_at.pop_front();
        }
    }

    /// Change a tally, and forget it when nobody needs it any more: what it knows is in the store.
    fn with(&mut self, key: &Counted, change: impl FnOnce(&mut Tally)) {
        let Some(tally) = self.tallies.get_mut(key) else { return };
        change(tally);
        if tally.live == 0 && tally.visits == 0 {
            self.tallies.remove(key);
        }
    }
}

impl Day {
    /// It was not written after all.
    fn forget(&mut self, placed_at: Timestamp) {
        if let Some(index) = self.placed_at.iter().rposition(|at| *at == placed_at) {
            self.placed_at.remove(index);
        }
    }
}
