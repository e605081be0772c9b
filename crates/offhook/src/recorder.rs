//! Recordings: stereo WAV, remote left, voice right, written as the call goes on.
//!
//! A call hands over about a second of audio at a time; one thread writes for all calls, so no file ever holds up a
//! frame. The header is brought up to date with every write: what is on disk is playable even when the process is
//! killed in the next moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use offhook_core::audio::{AudioFormat, Converter, g711};
use offhook_core::{CallId, Frame, Timestamp};
use offhook_store::NewRecording;
use tokio::sync::oneshot;

use crate::clock;
use crate::writer::Writer;

/// Chunks of a second that wait for the disk, over all calls.
const QUEUE: usize = 4_096;
const HEADER: usize = 44;
/// How far one side may lag behind the other before silence fills in for it: packets of a stalled remote never come.
const MAX_SKEW_MS: usize = 400;
/// Between two looks at the queue.
const NAP: Duration = Duration::from_millis(20);

/// The one writer of recordings.
#[derive(Clone, Debug)]
pub struct Recorder {
    orders: SyncSender<Order>,
    dir: PathBuf,
    writer: Writer,
}

#[derive(Debug)]
enum Order {
    Write(Chunk),
    /// Make a part silent that was written.
    Blank(Blank),
    Close {
        call: CallId,
    },
    Sync(oneshot::Sender<()>),
}

/// About a second of both sides.
#[derive(Debug)]
struct Chunk {
    call: CallId,
    format: AudioFormat,
    /// Where it begins, in bytes of one side.
    from: u64,
    remote: Vec<u8>,
    voice: Vec<u8>,
    refused: Arc<Refused>,
}

/// A part of a recording, in bytes of one side.
#[derive(Debug)]
struct Blank {
    call: CallId,
    format: AudioFormat,
    from: u64,
    to: u64,
    refused: Arc<Refused>,
}

/// What of one call could not be written, as the writer of recordings finds out.
#[derive(Debug, Default)]
struct Refused {
    /// Of one side.
    bytes: AtomicU64,
    /// The first time.
    why: OnceLock<String>,
}

impl Refused {
    fn note(&self, bytes: usize, why: &str) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        // Once for each call: a full disk refuses every second of it.
        if self.why.set(why.to_owned()).is_ok() {
            tracing::error!(why, "a recording can't be written; check the disk");
        }
    }
}

impl Recorder {
    /// Write below `dir`, which is made if it is missing, and note in the store what was written.
    pub fn start(dir: PathBuf, writer: Writer) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let (orders, inbox) = sync_channel(QUEUE);
        let disk = Disk { dir: dir.clone(), files: HashMap::new(), pairs: Vec::new() };
        thread::Builder::new().name("recorder".to_owned()).spawn(move || disk.run(inbox))?;
        Ok(Self { orders, dir, writer })
    }

    /// Begin to record a call whose leg speaks `format`.
    pub fn start_call(&self, call: CallId, format: AudioFormat) -> Recording {
        Recording {
            call,
            format,
            orders: self.orders.clone(),
            remote: Vec::new(),
            voice: Vec::new(),
            handed_over: 0,
            blank_until: 0,
            slow: 0,
            refused: Arc::default(),
            closed: false,
        }
    }

    pub fn path(&self, call: CallId) -> PathBuf {
        path(&self.dir, call)
    }

    /// Once a call is over: wait until its recording is written, and note it in the store, where retention finds it.
    /// Returns how long it is.
    pub async fn keep(&self, call: CallId) -> Option<u32> {
        self.sync().await;
        let file = recorded(call, self.path(call))?;
        let duration_ms = file.duration_ms;
        self.writer.keep(call, file.noted(clock::now()));
        Some(duration_ms)
    }

    /// Wait until everything handed over so far is written.
    async fn sync(&self) {
        let (done, wait) = oneshot::channel();
        must_arrive(&self.orders, Order::Sync(done));
        let _ = wait.await;
    }

    /// Every recording there is, also of calls that go on. Looks at each file.
    pub fn files(&self) -> Vec<RecordedFile> {
        let Ok(dir) = fs::read_dir(&self.dir) else { return Vec::new() };
        let path = |entry: io::Result<fs::DirEntry>| Some(entry.ok()?.path());
        dir.filter_map(path)
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?;
                recorded(name.strip_suffix(".wav")?.parse().ok()?, path)
            })
            .collect()
    }

    /// Repair the recording of a call whose writer was killed; whether there was one.
    pub fn recover(&self, call: CallId) -> bool {
        let file = OpenOptions::new().read(true).write(true).open(self.path(call));
        file.and_then(|file| write_sizes(&file, file.metadata()?.len())).is_ok()
    }
}

/// A recording on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFile {
    pub call: CallId,
    pub path: PathBuf,
    pub bytes: u64,
    pub duration_ms: u32,
    /// The last time.
    pub written_at: Timestamp,
}

impl RecordedFile {
    /// As the store notes it.
    pub fn noted(self, now: Timestamp) -> NewRecording {
        NewRecording {
            path: self.path,
            bytes: self.bytes,
            duration_ms: self.duration_ms,
            created_at: now,
            expires_at: None,
        }
    }
}

/// The file of a call; `None` when nothing was recorded. One that was cut off within its header has no length.
fn recorded(call: CallId, path: PathBuf) -> Option<RecordedFile> {
    let mut file = File::open(&path).ok()?;
    let about = file.metadata().ok()?;
    let (mut header, bytes) = ([0; HEADER], about.len());
    let duration_ms = match file.read_exact(&mut header) {
        Ok(()) => {
            let bytes_per_second =
                u32::from_le_bytes([header[28], header[29], header[30], header[31]]).max(1);
            bytes.saturating_sub(HEADER as u64) * 1_000 / u64::from(bytes_per_second)
        }
        Err(_) => 0,
    };
    let modified = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written_at = Timestamp::default() + modified.unwrap_or_default();
    Some(RecordedFile { call, path, bytes, duration_ms: duration_ms as u32, written_at })
}

fn path(dir: &Path, call: CallId) -> PathBuf {
    dir.join(format!("{call}.wav"))
}

/// One call's recording, filled by its session. Audio stays coded as the leg carries it: the writer decodes it.
#[derive(Debug)]
pub struct Recording {
    call: CallId,
    format: AudioFormat,
    orders: SyncSender<Order>,
    remote: Vec<u8>,
    voice: Vec<u8>,
    /// Bytes of each side that went to the writer, or were lost on the way to it.
    handed_over: u64,
    /// Up to where what is still to come is not to be kept, in bytes of one side.
    blank_until: u64,
    /// Of these, what the queue had no room for.
    slow: u64,
    refused: Arc<Refused>,
    closed: bool,
}

/// A recording to which nothing is added any more. Ask once it was [`Recorder::keep`]t: until then the disk has not
/// said all.
#[derive(Debug)]
pub struct Finished {
    call: CallId,
    format: AudioFormat,
    orders: SyncSender<Order>,
    length: u64,
    slow: u64,
    refused: Arc<Refused>,
}

impl Finished {
    /// Make a part of it silent, on both sides.
    pub fn blank(&self, from_ms: u32, to_ms: u32) {
        let bytes = |ms: u32| u64::from(ms) * self.format.bytes_per_ms() as u64;
        let (from, to) = (bytes(from_ms), bytes(to_ms).min(self.length));
        if from < to {
            let refused = Arc::clone(&self.refused);
            let blank = Blank { call: self.call, format: self.format, from, to, refused };
            must_arrive(&self.orders, Order::Blank(blank));
        }
    }

    /// What is missing in it, for the journal.
    pub fn missing(&self) -> Option<String> {
        let ms = |bytes: u64| self.format.duration_of(bytes as usize).as_millis();
        if let Some(why) = self.refused.why.get() {
            let missing = ms(self.refused.bytes.load(Ordering::Relaxed) + self.slow);
            return Some(format!("{missing} ms could not be written: {why}"));
        }
        (self.slow > 0).then(|| format!("the disk was too slow for {} ms, which are silent", ms(self.slow)))
    }
}

impl Recording {
    pub fn remote(&mut self, frame: &Frame) {
        let from = self.remote.len();
        append(&mut self.remote, self.format, frame);
        blank_rest(&mut self.remote[from..], self.handed_over + from as u64, self.blank_until, self.format);
        self.hand_over_seconds();
    }

    pub fn voice(&mut self, frame: &Frame) {
        let from = self.voice.len();
        append(&mut self.voice, self.format, frame);
        blank_rest(&mut self.voice[from..], self.handed_over + from as u64, self.blank_until, self.format);
        self.hand_over_seconds();
    }

    /// Make a part of it silent, on both sides, whether it was written already or is still to come.
    pub fn blank(&mut self, from_ms: u32, to_ms: u32) {
        let bytes = |ms: u32| u64::from(ms) * self.format.bytes_per_ms() as u64;
        let (from, to) = (bytes(from_ms), bytes(to_ms));
        self.blank_until = self.blank_until.max(to);
        for side in [&mut self.remote, &mut self.voice] {
            let within = |at: u64| (at.saturating_sub(self.handed_over) as usize).min(side.len());
            let (start, end) = (within(from), within(to));
            if start < end {
                side[start..end].fill(self.format.silence_byte());
            }
        }
        self.finished().blank(from_ms, to_ms);
    }

    /// Write the rest.
    pub fn finish(mut self) -> Finished {
        self.close();
        self.finished()
    }

    /// What went to the writer so far.
    fn finished(&self) -> Finished {
        Finished {
            call: self.call,
            format: self.format,
            orders: self.orders.clone(),
            length: self.handed_over,
            slow: self.slow,
            refused: Arc::clone(&self.refused),
        }
    }

    fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.hand_over(self.remote.len().max(self.voice.len()));
        must_arrive(&self.orders, Order::Close { call: self.call });
    }

    fn hand_over_seconds(&mut self) {
        let second = self.format.bytes_per_ms() * 1_000;
        let (short, long) =
            (self.remote.len().min(self.voice.len()), self.remote.len().max(self.voice.len()));
        let skew = second / 1_000 * MAX_SKEW_MS;
        if short >= second {
            self.hand_over(short);
        } else if long >= second + skew {
            self.hand_over(long - skew);
        }
    }

    /// Hand over `length` bytes of both sides, silence where one has none.
    fn hand_over(&mut self, length: usize) {
        if length == 0 {
            return;
        }
        let silence = self.format.silence_byte();
        let take = |side: &mut Vec<u8>| {
            let rest = side.split_off(length.min(side.len()));
            let mut taken = std::mem::replace(side, rest);
            taken.resize(length, silence);
            taken
        };
        let (remote, voice) = (take(&mut self.remote), take(&mut self.voice));
        let refused = Arc::clone(&self.refused);
        let (call, format, from) = (self.call, self.format, self.handed_over);
        let chunk = Chunk { call, format, from, remote, voice, refused };
        self.handed_over += length as u64;
        match self.orders.try_send(Order::Write(chunk)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.slow += length as u64,
            Err(TrySendError::Disconnected(_)) => {
                self.refused.note(length, "the thread that writes recordings has ended");
            }
        }
    }
}

/// Silence in what begins at `at`, up to `until`.
fn blank_rest(bytes: &mut [u8], at: u64, until: u64, format: AudioFormat) {
    if at < until {
        let len = bytes.len().min((until - at) as usize);
        bytes[..len].fill(format.silence_byte());
    }
}

/// It must arrive, but a busy disk must not hold up other calls.
fn must_arrive(orders: &SyncSender<Order>, order: Order) {
    if let Err(TrySendError::Full(order)) = orders.try_send(order) {
        let orders = orders.clone();
        thread::spawn(move || orders.send(order));
    }
}

/// A leg may change its coding in mid-call (re-INVITE); the recording keeps the one it began with.
fn append(side: &mut Vec<u8>, format: AudioFormat, frame: &Frame) {
    if frame.format() == format {
        side.extend_from_slice(frame.bytes());
    } else {
        Converter::new(frame.format(), format).convert(frame.bytes(), side);
    }
}

impl Drop for Recording {
    /// Also when the session panicked.
    fn drop(&mut self) {
        self.close();
    }
}

struct Disk {
    dir: PathBuf,
    files: HashMap<CallId, Open>,
    /// What is being written, kept for its room.
    pairs: Vec<u8>,
}

/// A file that is being written, and how much of it is whole.
struct Open {
    file: File,
    length: u64,
}

impl Disk {
    fn run(mut self, inbox: Receiver<Order>) {
        while let Some(order) = self.next(&inbox) {
            match order {
                Order::Write(chunk) => {
                    if let Err(error) = self.write(&chunk) {
                        chunk.refused.note(chunk.remote.len(), &error.to_string());
                    }
                }
                Order::Blank(blank) => {
                    if let Err(error) = self.blank(&blank) {
                        let why = format!("a part with a secret is still in it: {error}");
                        blank.refused.note((blank.to - blank.from) as usize, &why);
                    }
                }
                Order::Sync(done) => {
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
                Order::Close { call } => self.close(call),
            }
        }
    }

    /// While calls are recorded the queue is looked at in passing: a writer that waited at it would have to be woken by
    /// the audio path once a second for each call.
    #[expect(clippy::disallowed_methods, reason = "this thread is the recorder's own")]
    fn next(&self, inbox: &Receiver<Order>) -> Option<Order> {
        if self.files.is_empty() {
            return inbox.recv().ok();
        }
        loop {
            match inbox.try_recv() {
                Ok(order) => return Some(order),
                Err(TryRecvError::Empty) => thread::sleep(NAP),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }

    /// What was written in part, when the disk became full, is cut off: length and header agree again.
    fn close(&mut self, call: CallId) {
        let Some(Open { file, length }) = self.files.remove(&call) else { return };
        if let Err(error) = file.set_len(length).and_then(|()| file.sync_data()) {
            tracing::error!(call_id = %call, %error, "the end of a recording may not be on the disk");
        }
    }

    /// Over what is there: nothing is made longer.
    fn blank(&mut self, blank: &Blank) -> io::Result<()> {
        let reopened;
        let (file, length) = match self.files.get(&blank.call) {
            Some(open) => (&open.file, open.length),
            None => {
                reopened = OpenOptions::new().write(true).open(path(&self.dir, blank.call))?;
                (&reopened, reopened.metadata()?.len())
            }
        };
        let at = |bytes: u64| HEADER as u64 + samples(blank.format, bytes) * BYTES_PER_SAMPLE;
        let (from, to) = (at(blank.from), at(blank.to).min(length));
        self.pairs.clear();
        self.pairs.resize(to.saturating_sub(from) as usize, 0);
        file.write_all_at(&self.pairs, from)?;
        file.sync_data()
    }

    fn write(&mut self, chunk: &Chunk) -> io::Result<()> {
        let open = match self.files.entry(chunk.call) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let file = create(&path(&self.dir, chunk.call), chunk.format.sample_rate().hz())?;
                entry.insert(Open { file, length: HEADER as u64 })
            }
        };
        // What is missing, because the queue was full or an earlier write failed, is silence: nothing shifts.
        let at = HEADER as u64 + samples(chunk.format, chunk.from) * BYTES_PER_SAMPLE;
        if at != open.length {
            open.file.set_len(at.max(open.length))?;
        }
        interleave(chunk, &mut self.pairs);
        open.file.write_all_at(&self.pairs, at)?;
        open.length = at + self.pairs.len() as u64;
        let header = header(chunk.format.sample_rate().hz(), data_length(open.length));
        open.file.write_all_at(&header, 0)
    }
}

/// Both sides, 16 bit.
const BYTES_PER_SAMPLE: u64 = 4;

fn samples(format: AudioFormat, bytes: u64) -> u64 {
    bytes / format.bytes_per_sample() as u64
}

/// Both sides of a chunk as the file holds them, sample by sample.
fn interleave(chunk: &Chunk, out: &mut Vec<u8>) {
    match chunk.format {
        AudioFormat::Pcmu => pair_up::<1>(chunk, out, |[byte]| g711::decode_ulaw(byte).to_le_bytes()),
        AudioFormat::Pcma => pair_up::<1>(chunk, out, |[byte]| g711::decode_alaw(byte).to_le_bytes()),
        AudioFormat::Pcm16(_) => pair_up::<2>(chunk, out, |sample| sample),
    }
}

fn pair_up<const N: usize>(chunk: &Chunk, out: &mut Vec<u8>, linear: impl Fn([u8; N]) -> [u8; 2]) {
    let (remote, voice) = (chunk.remote.as_chunks::<N>().0, chunk.voice.as_chunks::<N>().0);
    out.clear();
    out.reserve(remote.len() * BYTES_PER_SAMPLE as usize);
    for (remote, voice) in remote.iter().zip(voice) {
        let ([a, b], [c, d]) = (linear(*remote), linear(*voice));
        out.extend_from_slice(&[a, b, c, d]);
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn create(path: &Path, rate: u32) -> io::Result<File> {
    let mut file =
        private(OpenOptions::new().read(true).write(true).create(true).truncate(true)).open(path)?;
    file.write_all(&header(rate, 0))?;
    Ok(file)
}

/// A canonical WAV header: PCM, two channels, 16 bit, and `length` bytes of it.
fn header(rate: u32, length: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0..4].copy_from_slice(b"RIFF");
    header[4..8].copy_from_slice(&(length + HEADER as u32 - 8).to_le_bytes());
    header[8..16].copy_from_slice(b"WAVEfmt ");
    header[16..20].copy_from_slice(&16u32.to_le_bytes());
    header[20..22].copy_from_slice(&1u16.to_le_bytes());
    header[22..24].copy_from_slice(&2u16.to_le_bytes());
    header[24..28].copy_from_slice(&rate.to_le_bytes());
    header[28..32].copy_from_slice(&(rate * 4).to_le_bytes());
    header[32..34].copy_from_slice(&4u16.to_le_bytes());
    header[34..36].copy_from_slice(&16u16.to_le_bytes());
    header[36..40].copy_from_slice(b"data");
    header[40..44].copy_from_slice(&length.to_le_bytes());
    header
}

/// Make the two sizes of the header agree with a file of this length.
fn write_sizes(file: &File, length: u64) -> io::Result<()> {
    let data = data_length(length);
    file.write_all_at(&(data + HEADER as u32 - 8).to_le_bytes(), 4)?;
    file.write_all_at(&data.to_le_bytes(), 40)
}

/// Bytes of whole samples in a file of this length; the most that a header can say in one that is longer.
fn data_length(file_length: u64) -> u32 {
    let data = file_length.saturating_sub(HEADER as u64) / BYTES_PER_SAMPLE * BYTES_PER_SAMPLE;
    u32::try_from(data).unwrap_or(u32::MAX).min(u32::MAX - HEADER as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> CallId {
        CallId::from_parts(offhook_core::Timestamp::from_unix_millis(1), [7; 10])
    }

    fn samples(path: &Path) -> Vec<i16> {
        let reader = hound::WavReader::open(path).expect("a WAV file others can read");
        assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 8_000));
        reader.into_samples::<i16>().map(|sample| sample.expect("a sample")).collect()
    }

    async fn recorder(dir: &Path) -> Recorder {
        let store = offhook_store::Store::open("sqlite::memory:").await.expect("a store");
        Recorder::start(dir.to_owned(), Writer::start(store)).expect("a recorder")
    }

    #[tokio::test]
    async fn the_remote_is_left_and_the_voice_right() {
        let dir = tempfile::tempdir().expect("a directory");
        let recorder = recorder(dir.path()).await;
        let mut recording = recorder.start_call(call(), AudioFormat::Pcmu);
        let loud = Frame::from_bytes(AudioFormat::Pcmu, &[0x80; 160]).expect("a frame");
        for _ in 0..100 {
            recording.remote(&loud);
            recording.voice(&Frame::silence(AudioFormat::Pcmu));
        }
        assert_eq!(recording.finish().missing(), None);
        assert_eq!(recorder.keep(call()).await, Some(2_000));
        let samples = samples(&recorder.path(call()));
        assert_eq!(samples.len(), 32_000);
        assert!(samples.chunks(2).all(|pair| pair[0] > 30_000 && pair[1] == 0));
    }

    #[tokio::test]
    async fn a_leg_that_changes_its_coding_is_recorded_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let recorder = recorder(dir.path()).await;
        let mut recording = recorder.start_call(call(), AudioFormat::Pcmu);
        for (format, loud) in [(AudioFormat::Pcmu, 0x80), (AudioFormat::Pcma, 0xaa)] {
            for _ in 0..10 {
                recording.remote(&Frame::from_bytes(format, &[loud; 160]).expect("a frame"));
                recording.voice(&Frame::silence(format));
            }
        }
        assert_eq!(recording.finish().missing(), None);
        assert_eq!(recorder.keep(call()).await, Some(400));
        let samples = samples(&recorder.path(call()));
        assert_eq!(samples.len(), 6_400);
        assert!(samples.chunks(2).all(|pair| pair[0].abs() > 30_000 && pair[1].abs() < 16));
    }

    #[tokio::test]
    async fn what_is_blanked_is_silent_wherever_it_is_by_then() {
        let dir = tempfile::tempdir().expect("a directory");
        let recorder = recorder(dir.path()).await;
        let mut recording = recorder.start_call(call(), AudioFormat::Pcmu);
        let loud = Frame::from_bytes(AudioFormat::Pcmu, &[0x80; 160]).expect("a frame");
        let record = |recording: &mut Recording, ms: usize| {
            for _ in 0..ms / 20 {
                recording.remote(&loud);
                recording.voice(&loud);
            }
        };
        record(&mut recording, 3_500);
        // Written, about to be, and still to come.
        recording.blank(1_000, 1_500);
        recording.blank(3_200, 3_900);
        record(&mut recording, 1_500);
        recording.blank(4_990, 9_000);
        let finished = recording.finish();
        // The words were understood when the recording was over.
        finished.blank(100, 200);
        finished.blank(4_900, 6_000);
        assert_eq!(recorder.keep(call()).await, Some(5_000));
        let samples = samples(&recorder.path(call()));
        let silent: Vec<usize> =
            (0..500).filter(|n| samples[n * 160..n * 160 + 160].iter().all(|s| *s == 0)).collect();
        let expected: Vec<usize> = [10..20, 100..150, 320..390, 490..500].into_iter().flatten().collect();
        assert_eq!(silent, expected, "hundredths of a second, both sides");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_with_the_length_that_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let recorder = recorder(dir.path()).await;
        std::os::unix::fs::symlink("/dev/full", recorder.path(call())).expect("a link");
        let mut recording = recorder.start_call(call(), AudioFormat::Pcmu);
        for _ in 0..75 {
            recording.remote(&Frame::silence(AudioFormat::Pcmu));
            recording.voice(&Frame::silence(AudioFormat::Pcmu));
        }
        let finished = recording.finish();
        assert_eq!(recorder.keep(call()).await, Some(0));
        let missing = finished.missing().expect("something is missing");
        assert!(missing.contains("1500 ms") && missing.contains("No space left"), "{missing}");
    }

    #[tokio::test]
    async fn a_writer_that_is_gone_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let (orders, _) = sync_channel(1);
        let recorder = Recorder { orders, ..recorder(dir.path()).await };
        let mut recording = recorder.start_call(call(), AudioFormat::Pcmu);
        recording.remote(&Frame::silence(AudioFormat::Pcmu));
        let missing = recording.finish().missing().expect("something is missing");
        assert!(missing.contains("20 ms") && missing.contains("has ended"), "{missing}");
        assert_eq!(recorder.keep(call()).await, None);
    }

    #[tokio::test]
    async fn a_file_whose_writer_was_killed_is_repaired() {
        let dir = tempfile::tempdir().expect("a directory");
        let recorder = recorder(dir.path()).await;
        let path = recorder.path(call());
        let mut torn = header(8_000, 0).to_vec();
        torn.extend([1; 4 * 800 + 3]);
        fs::write(&path, torn).expect("a torn file");
        assert!(recorder.recover(call()));
        assert_eq!(recorder.files()[0].duration_ms, 100);
        assert_eq!(samples(&path).len(), 1_600);
    }
}
