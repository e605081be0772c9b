//! What a call waits for, each source with a waker of its own, so that a wake-up polls what woke and nothing else.
//!
//! A call that talks is woken three times in 20 ms: by a packet, by the model, by its playout. Polling every timer,
//! channel and socket each time would cost more than the work itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;

/// What can wake a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A frame of the voice is due: at most every 20 ms, and before anything else.
    Playout,
    Commands,
    /// The call wants to know that time has passed.
    Deadline,
    Leg,
    /// The user's leg, where there is one.
    Second,
    Speech,
    /// Who works for the voice.
    Agents,
}

impl Source {
    const ALL: [Self; 7] =
        [Self::Playout, Self::Commands, Self::Deadline, Self::Leg, Self::Second, Self::Speech, Self::Agents];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Which sources are to be polled. All are at first.
#[derive(Debug)]
pub struct Sources {
    awake: Arc<Awake>,
    wakers: [Waker; Source::ALL.len()],
    /// The bits of the sources behind the last one that had its turn.
    behind: u8,
}

#[derive(Debug)]
struct Awake {
    task: AtomicWaker,
    bits: AtomicU8,
}

struct SourceWaker {
    awake: Arc<Awake>,
    bit: u8,
}

impl Wake for SourceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// A bit that is set already means that the task is running, or was woken for it.
    fn wake_by_ref(self: &Arc<Self>) {
        if self.awake.bits.fetch_or(self.bit, Ordering::AcqRel) & self.bit == 0 {
            self.awake.task.wake();
        }
    }
}

impl Sources {
    pub fn new() -> Self {
        let all = Source::ALL.iter().fold(0, |bits, source| bits | source.bit());
        let awake = Arc::new(Awake { task: AtomicWaker::new(), bits: AtomicU8::new(all) });
        let waker =
            |source: Source| Arc::new(SourceWaker { awake: Arc::clone(&awake), bit: source.bit() }).into();
        let wakers = Source::ALL.map(waker);
        Self { awake, wakers, behind: all }
    }

    /// Wake this task from now on. To be called before [`Self::next`], or a wake-up between the two is lost.
    pub fn wake_task(&self, task: &Waker) {
        self.awake.task.register(task);
    }

    /// The next source that is awake: the playout, else each in turn, so that none can starve another, however much
    /// a far end sends. It rests from now on, until its waker is called or [`Self::stir`] is.
    pub fn next(&mut self) -> Option<Source> {
        let bits = self.awake.bits.load(Ordering::Acquire);
        let eligible = [bits & Source::Playout.bit(), bits & self.behind, bits];
        let first = eligible.into_iter().find(|bits| *bits != 0)?.trailing_zeros();
        let source = Source::ALL[first as usize];
        if source != Source::Playout {
            self.behind = !(source.bit() | (source.bit() - 1));
        }
        self.awake.bits.fetch_and(!source.bit(), Ordering::AcqRel);
        Some(source)
    }

    /// What to poll a source with.
    pub fn context(&self, source: Source) -> Context<'_> {
        Context::from_waker(&self.wakers[source as usize])
    }

    /// Poll this source, although it did not wake: it was told something, or it may have more.
    pub fn stir(&self, source: Source) {
        self.awake.bits.fetch_or(source.bit(), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    fn all_awake(sources: &mut Sources) -> Vec<Source> {
        std::iter::from_fn(|| sources.next()).collect()
    }

    #[test]
    fn all_are_asked_at_first_and_then_only_who_woke() {
        let mut sources = Sources::new();
        assert_eq!(all_awake(&mut sources), Source::ALL);
        sources.stir(Source::Deadline);
        sources.context(Source::Leg).waker().wake_by_ref();
        assert_eq!(all_awake(&mut sources), [Source::Deadline, Source::Leg]);
        assert_eq!(sources.next(), None);
    }

    #[test]
    fn a_leg_that_never_rests_leaves_the_others_their_turns() {
        let mut sources = Sources::new();
        all_awake(&mut sources);
        let mut turns = Vec::new();
        for _ in 0..3 {
            sources.stir(Source::Commands);
            sources.stir(Source::Leg);
            turns.extend(sources.next());
            sources.stir(Source::Playout);
            turns.extend(sources.next());
        }
        let [commands, leg, playout] = [Source::Commands, Source::Leg, Source::Playout];
        assert_eq!(turns, [commands, playout, leg, playout, commands, playout]);
    }

    /// A waker called from another thread at any time wakes the task, and none of a thousand calls is lost.
    #[tokio::test]
    async fn no_wake_up_is_lost() {
        let mut sources = Sources::new();
        all_awake(&mut sources);
        let waker = sources.context(Source::Speech).waker().clone();
        let (asked, asks) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || asks.iter().for_each(|()| waker.wake_by_ref()));
        for _ in 0..1_000 {
            let mut armed = false;
            let woken = poll_fn(|cx| {
                sources.wake_task(cx.waker());
                if !std::mem::replace(&mut armed, true) {
                    asked.send(()).expect("the other thread listens");
                }
                sources.next().map_or(Poll::Pending, Poll::Ready)
            });
            let woken = tokio::time::timeout(std::time::Duration::from_secs(10), woken).await;
            assert_eq!(woken.expect("a wake-up"), Source::Speech);
        }
        drop(asked);
        other.join().expect("the other thread");
    }
}
