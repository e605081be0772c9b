//! Who may start a call just now: the policy's rules over a book of the calls that are under way.
//!
//! A call takes its place in the book, in memory and under a lock that is held for no longer than that, before it is
//! written down: however many are placed at once, no limit is passed, and none waits for another's commit. A call
//! that could not be written gives its place back.
//!
//! What the book must know of earlier calls, it reads from the store when it first hears of an owner or a number, and
//! forgets it when none of theirs is under way any more.

pub mod limits;
#[cfg(test)]
mod tests;
pub mod usage;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_core::policy::{
    Allow, Amount, Ask, DayUse, Facts, HandoffAllow, OwnerLimits, Policy, Prepaid, Proactive, Recent,
    Refusal, TrialUse,
};
use offhook_core::{CallId, DAY, OwnerId, PhoneNumber, Timestamp};
use offhook_store::{OwnerRow, Store, StoreError};

use crate::clock;

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
    /// Who may be called into calls, or was.
    User(PhoneNumber),
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
    /// The calls under way that are in the store.
    calls: Vec<CallId>,
    /// What calls under way may yet use.
    promised: DayUse,
    /// Conversations that were over while there were visits, which may have left them out.
    ended: Vec<Ended>,
}

/// A conversation that was over while somebody looked.
#[derive(Clone, Copy, Debug)]
struct Ended {
    call: CallId,
    over_at: Timestamp,
    talk: Duration,
    price: Amount,
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

    /// Whether this number may be called at all, however little is going on, by a key that is bound to these; `None`:
    /// it is not bound.
    pub fn check_destination(
        &self,
        number: &PhoneNumber,
        bound_to: Option<&[PhoneNumber]>,
    ) -> Result<(), Refusal> {
        let facts = Facts { own_lines: &self.inner.lines, bound_to, ..Facts::default() };
        self.inner.policy.decide(&Ask::outbound(number), &facts, clock::now()).into_result().map(drop)
    }

    /// Whether this user may be called into a call with `remote`, of an account with these phones, by a key that is
    /// bound to these numbers.
    pub fn check_user(
        &self,
        user: &PhoneNumber,
        remote: Option<&PhoneNumber>,
        own_phones: &[PhoneNumber],
        bound_to: Option<&[PhoneNumber]>,
    ) -> Result<HandoffAllow, Refusal> {
        let facts = Facts { own_lines: &self.inner.lines, own_phones, bound_to, ..Facts::default() };
        self.inner.policy.decide_handoff(user, remote, &facts, clock::now())
    }

    /// How often this user was called in a day, whom nobody knows to be of the account: once more?
    pub async fn check_calls_to_user(
        &self,
        store: &Store,
        user: &PhoneNumber,
        own_phones: &[PhoneNumber],
    ) -> Result<Result<(), Refusal>, StoreError> {
        let day = self.read(store, &Counted::User(user.clone()), &OwnerLimits::default()).await?;
        let (count, oldest_at) = (day.placed_at.len() as u32, day.placed_at.front().copied());
        let calls_to_user = Recent { count, oldest_at };
        let facts = Facts { own_lines: &self.inner.lines, own_phones, calls_to_user, ..Facts::default() };
        Ok(self.inner.policy.decide_handoff(user, None, &facts, clock::now()).map(drop))
    }

    /// Look up what the rules need to know for a call of this account to this number.
    pub async fn visit(
        &self,
        store: &Store,
        account: Account,
        destination: &PhoneNumber,
    ) -> Result<Visit, StoreError> {
        self.look(store, account, Some(Counted::Destination(destination.clone()))).await
    }

    /// Look up what the rules need to know for a call to a line of this owner.
    pub async fn visit_inbound(&self, store: &Store, owner: OwnerId) -> Result<Visit, StoreError> {
        self.look(store, Account::Owner(owner), None).await
    }

    async fn look(
        &self,
        store: &Store,
        account: Account,
        destination: Option<Counted>,
    ) -> Result<Visit, StoreError> {
        let owner = match account {
            Account::Owner(owner) => store.owner(owner).await?,
            Account::Anonymous => None,
        };
        let owner_limits = limits::stored(owner.as_ref().and_then(|row| row.limits.as_deref()));
        let mut visit = Visit {
            admission: self.clone(),
            keys: Vec::new(),
            own_phones: Vec::new(),
            proactive: None,
            bound_to: None,
            owner_limits,
            used: Used::default(),
        };
        for key in std::iter::once(Counted::Account(account)).chain(destination) {
            visit.learn(store, key).await?;
        }
        visit.read(store, account, owner.as_ref()).await?;
        Ok(visit)
    }

    /// Whether it matters how long an owner with these limits has talked in a day.
    pub fn limits_talk(&self, owner_limits: &OwnerLimits) -> bool {
        let config = self.inner.policy.config();
        let talk = config.talk_per_day_per_owner.or(owner_limits.talk_per_day);
        talk.is_some() || config.spend_per_day_per_owner.or(owner_limits.spend_per_day).is_some()
    }

    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    async fn read(&self, store: &Store, key: &Counted, of_owner: &OwnerLimits) -> Result<Day, StoreError> {
        let (since, limit) = (clock::now() - DAY, self.kept(key, of_owner));
        let newest = match key {
            Counted::Account(Account::Owner(owner)) => store.newest_calls_of(*owner, since, limit).await?,
            Counted::Account(Account::Anonymous) => store.newest_calls_of_minted_keys(since, limit).await?,
            Counted::Destination(to) => store.newest_calls_to(to.as_e164(), since, limit).await?,
            Counted::User(user) => store.newest_calls_to_user(user.as_e164(), since, limit).await?,
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
    fn kept(&self, key: &Counted, of_owner: &OwnerLimits) -> u32 {
        let config = self.inner.policy.config();
        match key {
            Counted::Account(_) => of_owner.calls_per_day.unwrap_or(config.calls_per_day_per_owner),
            Counted::Destination(_) | Counted::User(_) => config.calls_per_day_per_destination,
        }
    }

    /// How many calls are under way on a line that was asked for, or was called.
    pub fn on_line(&self, line: &PhoneNumber) -> u32 {
        self.book().on_line.get(line).copied().unwrap_or(0)
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
    /// The account first; then the destination, the user, and who is on trial.
    keys: Vec<Counted>,
    own_phones: Vec<PhoneNumber>,
    /// Where the call is an agent's own idea: what its user wishes of such.
    proactive: Option<Proactive>,
    /// All whom the key that asks may have called; `None`: anybody.
    bound_to: Option<Vec<PhoneNumber>>,
    owner_limits: OwnerLimits,
    used: Used,
}

/// What the store knew of an owner's use when it was read.
#[derive(Debug, Default)]
struct Used {
    /// Under way then, and left out.
    but: Vec<CallId>,
    today: DayUse,
    prepaid: Option<Prepaid>,
    /// The same two of whoever is on trial.
    trial_but: Vec<CallId>,
    trial: Option<TrialUse>,
}

impl Visit {
    /// The call is an agent's own idea, and this is what its user wishes of such.
    pub fn proactive(mut self, proactive: Proactive) -> Self {
        self.proactive = Some(proactive);
        self
    }

    async fn learn(&mut self, store: &Store, key: Counted) -> Result<(), StoreError> {
        let unknown = {
            let mut book = self.admission.book();
            let tally = book.tallies.entry(key.clone()).or_default();
            tally.visits += 1;
            tally.day.is_none()
        };
        self.keys.push(key.clone());
        if unknown {
            let day = self.admission.read(store, &key, &self.owner_limits).await?;
            // Another visit may have read it meanwhile, and calls may have been added to that.
            self.admission.book().tallies.entry(key).or_default().day.get_or_insert(day);
        }
        Ok(())
    }

    /// The user may be called into it; the account has these phones.
    pub async fn with_user(
        mut self,
        store: &Store,
        user: &PhoneNumber,
        own_phones: Vec<PhoneNumber>,
    ) -> Result<Self, StoreError> {
        self.own_phones = own_phones;
        self.learn(store, Counted::User(user.clone())).await?;
        Ok(self)
    }

    /// The key that asks may have only these called; `None`: it is not bound.
    pub fn bound_to(mut self, bound_to: Option<Vec<PhoneNumber>>) -> Self {
        self.bound_to = bound_to;
        self
    }

    /// What the rules that hold need to know of what was used.
    async fn read(
        &mut self,
        store: &Store,
        account: Account,
        owner: Option<&OwnerRow>,
    ) -> Result<(), StoreError> {
        let admission = &self.admission;
        self.used.but = admission.book().calls(&self.keys[0]);
        let (prices, since) = (&admission.policy().config().prices, clock::now() - DAY);
        if admission.limits_talk(&self.owner_limits) {
            self.used.today = usage::day(store, account, prices, since, &self.used.but).await?;
        }
        if let Some((owner, balance)) = owner.and_then(|owner| Some((owner.id, owner.balance?))) {
            self.used.prepaid = Some(usage::prepaid(store, owner, balance, &self.used.but).await?);
        }
        Ok(())
    }

    /// The owner has no account yet: where the operator allows only a trial, it counts for that.
    pub async fn on_trial(mut self, store: &Store, owner: OwnerId) -> Result<Self, StoreError> {
        if self.admission.inner.policy.config().trial.is_none() {
            return Ok(self);
        }
        let key = Counted::Account(Account::Owner(owner));
        self.used.trial_but = {
            let mut book = self.admission.book();
            book.tallies.entry(key.clone()).or_default().visits += 1;
            book.calls(&key)
        };
        self.keys.push(key);
        self.used.trial = Some(usage::trial(store, owner, &self.used.trial_but).await?);
        Ok(self)
    }

    /// Decide, and take the place if there is one.
    pub fn take(self, ask: &Ask<'_>, room: Room, now: Timestamp) -> Result<(Allow, Place), NoPlace> {
        let mut book = self.admission.book();
        let allow = self.decide(&mut book, ask, room, now)?;
        Ok(self.entered(book, allow, ask.line, now))
    }

    /// A place for a call that reached us on this line, where it counts there; `alone`: it carries one at a time.
    pub fn take_inbound(
        self,
        ask: &Ask<'_>,
        line: Option<&PhoneNumber>,
        alone: bool,
        now: Timestamp,
    ) -> Result<(Allow, Place), NoPlace> {
        let mut book = self.admission.book();
        if alone && line.and_then(|line| book.on_line.get(line)).is_some_and(|calls| *calls > 0) {
            return Err(NoPlace::NoLine);
        }
        let allow = self.permit(&mut book, ask, now)?;
        Ok(self.entered(book, allow, line, now))
    }

    fn entered(
        &self,
        mut book: MutexGuard<'_, Book>,
        allow: Allow,
        line: Option<&PhoneNumber>,
        now: Timestamp,
    ) -> (Allow, Place) {
        book.enter(&self.keys, line);
        let outbound = allow.destination().is_some();
        let of_user = allow.handoff().map_or(Amount::ZERO, HandoffAllow::price);
        // To be called costs nothing.
        let counts = outbound || allow.handoff().is_some();
        let promised = if counts { allow.promised() } else { DayUse::default() };
        for key in &self.keys {
            if outbound || matches!(key, Counted::User(_)) {
                book.count(key, now, self.admission.kept(key, &self.owner_limits));
            }
            book.promise(key, promised);
        }
        drop(book);
        let place = Place {
            admission: self.admission.clone(),
            keys: self.keys.clone(),
            line: line.cloned(),
            call: None,
            taken_at: now,
            outbound,
            kept: false,
            promised,
            price: if outbound { allow.price().minus(of_user) } else { Amount::ZERO },
            price_of_user: of_user,
            user_called: false,
            answered_at: None,
        };
        (allow, place)
    }

    /// What [`Visit::take`] would say just now. No place is taken, and nothing is counted.
    pub fn ask(self, ask: &Ask<'_>, room: Room, now: Timestamp) -> Result<Allow, NoPlace> {
        let mut book = self.admission.book();
        self.decide(&mut book, ask, room, now)
    }

    fn decide(&self, book: &mut Book, ask: &Ask<'_>, room: Room, now: Timestamp) -> Result<Allow, NoPlace> {
        let allow = self.permit(book, ask, now)?;
        // A call that was let in takes its line a moment later, when its model is ready; one that is over gives its
        // line back a moment later, when the far end has confirmed.
        let let_in = ask.line.map_or(book.live, |line| book.on_line.get(line).copied().unwrap_or(0));
        if room.busy.max(let_in as usize) >= room.limit {
            return Err(NoPlace::NoLine);
        }
        Ok(allow)
    }

    /// What the rules say, whatever room there is.
    fn permit(&self, book: &mut Book, ask: &Ask<'_>, now: Timestamp) -> Result<Allow, NoPlace> {
        let inner = &self.admission.inner;
        let account = book.seen(&self.keys[0], now);
        let mut seen = |is: fn(&Counted) -> bool| {
            let key = self.keys.iter().find(|key| is(key));
            key.map(|key| book.seen(key, now)).unwrap_or_default()
        };
        let destination = seen(|key| matches!(key, Counted::Destination(_)));
        let user = seen(|key| matches!(key, Counted::User(_)));
        let (used_today, prepaid) = self.used(book);
        let facts = Facts {
            own_lines: &inner.lines,
            bound_to: self.bound_to.as_deref(),
            live_calls: book.live,
            live_calls_of_owner: account.live,
            live_calls_to_destination: destination.live,
            calls_of_owner: account.recent,
            calls_to_destination: destination.recent,
            last_call_to_destination_ended_at: destination.ended_at,
            own_phones: &self.own_phones,
            proactive: self.proactive,
            calls_to_user: user.recent,
            owner_limits: self.owner_limits,
            used_today,
            promised: account.promised,
            trial: self.trial_use(book),
            prepaid,
        };
        inner.policy.decide(ask, &facts, now).into_result().map_err(NoPlace::Refused)
    }

    /// What was read, and what ended since.
    fn used(&self, book: &Book) -> (DayUse, Option<Prepaid>) {
        let (mut today, mut prepaid) = (self.used.today, self.used.prepaid);
        for ended in book.ended(&self.keys[0], &self.used.but) {
            today.count(ended.talk, ended.price, Some(ended.over_at));
            prepaid.iter_mut().for_each(|prepaid| prepaid.used += ended.talk);
        }
        (today, prepaid)
    }

    /// With what calls under way may yet use: each may come to count.
    fn trial_use(&self, book: &Book) -> Option<TrialUse> {
        let mut used = self.used.trial?;
        let key = self.keys.iter().skip(1).find(|key| matches!(key, Counted::Account(_)))?;
        book.ended(key, &self.used.trial_but).for_each(|ended| used.count(ended.talk));
        let tally = book.tallies.get(key)?;
        Some(TrialUse { calls: used.calls + tally.live, talk: used.talk + tally.promised.talk })
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
    /// Once it is in the store.
    call: Option<CallId>,
    /// What it counts as in the limits of a day, where we placed it.
    taken_at: Timestamp,
    outbound: bool,
    kept: bool,
    /// What it may use up at most, of what its owner may.
    promised: DayUse,
    price: Amount,
    price_of_user: Amount,
    user_called: bool,
    answered_at: Option<Timestamp>,
}

impl Place {
    /// The call has begun, and may be over in the store before its place is given back.
    pub fn is_of(&mut self, call: CallId) {
        self.call = Some(call);
        let mut book = self.admission.book();
        for key in self.keys.iter().filter(|key| matches!(key, Counted::Account(_))) {
            book.with(key, |tally| tally.calls.push(call));
        }
    }

    /// The conversation that is over, if it counts.
    fn ended(&self, over_at: Timestamp) -> Option<Ended> {
        let (call, answered_at) = self.call.zip(self.answered_at)?;
        let talk = over_at.since(answered_at);
        let of_user = if self.user_called { self.price_of_user } else { Amount::ZERO };
        let price = self.price.plus(of_user);
        (self.outbound || self.user_called).then_some(Ended { call, over_at, talk, price })
    }

    /// The call is in the store.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// The call is over; this is when it was answered, if it was, and whether its user was called.
    pub fn talked_since(&mut self, answered_at: Option<Timestamp>, user_called: bool) {
        self.answered_at = answered_at;
        self.user_called = user_called;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = clock::now();
        let ended = self.ended(now);
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
                tally.promised.talk -= self.promised.talk;
                tally.promised.spent = tally.promised.spent.minus(self.promised.spent);
                tally.calls.retain(|call| Some(*call) != self.call);
                tally.ended.extend(ended.filter(|_| tally.visits > 0));
                let Some(day) = &mut tally.day else { return };
                match key {
                    Counted::User(_) if self.user_called => {}
                    Counted::User(_) => day.forget(self.taken_at),
                    _ if !self.outbound => {}
                    _ if self.kept => day.ended_at = day.ended_at.max(Some(now)),
                    _ => day.forget(self.taken_at),
                }
            });
        }
    }
}

/// What the rules look at.
#[derive(Default)]
struct Seen {
    live: u32,
    recent: Recent,
    ended_at: Option<Timestamp>,
    promised: DayUse,
}

impl Book {
    fn seen(&mut self, key: &Counted, now: Timestamp) -> Seen {
        let tally = self.tallies.entry(key.clone()).or_default();
        let day = tally.day.get_or_insert_default();
        while day.placed_at.front().is_some_and(|placed_at| *placed_at < now - DAY) {
            day.placed_at.pop_front();
        }
        let recent = Recent { count: day.placed_at.len() as u32, oldest_at: day.placed_at.front().copied() };
        let ended_at = day.ended_at;
        Seen { live: tally.live, recent, ended_at, promised: tally.promised }
    }

    /// The calls of an account that are under way and in the store.
    fn calls(&self, key: &Counted) -> Vec<CallId> {
        self.tallies.get(key).map(|tally| tally.calls.clone()).unwrap_or_default()
    }

    /// What ended of these calls since somebody looked.
    fn ended(&self, key: &Counted, of: &[CallId]) -> impl Iterator<Item = &Ended> {
        let ended = self.tallies.get(key).into_iter().flat_map(|tally| &tally.ended);
        ended.filter(|ended| of.contains(&ended.call))
    }

    fn promise(&mut self, key: &Counted, promised: DayUse) {
        let Some(tally) = self.tallies.get_mut(key) else { return };
        tally.promised.talk += promised.talk;
        tally.promised.spent = tally.promised.spent.plus(promised.spent);
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
        if tally.visits == 0 {
            tally.ended.clear();
            if tally.live == 0 {
                self.tallies.remove(key);
            }
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
