//! Recordings: stereo WAV, remote left, voice right, written as the call goes on.
//!
//! A call hands over about a second of audio at a time; one thread writes for all calls, so no file ever holds up a
//! frame. The header is brought up to date with every write: what is on disk is playable even when the process is
//! killed in the next moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use offhook_core::audio::{AudioFormat, SampleRate, g711};
use offhook_core::{CallId, Frame};
use tokio::sync::oneshot;

/// Chunks of a second that wait for the disk, over all calls.
const QUEUE: usize = 4_096;
const HEADER: usize = 44;
/// How far one side may lag behind the other before silence fills in for it: packets of a stalled remote never come.
const MAX_SKEW_MS: usize = 400;

/// The one writer of recordings.
#[derive(Clone, Debug)]
pub struct Recorder {
    orders: SyncSender<Order>,
    dir: PathBuf,
}

#[derive(Debug)]
enum Order {
    Write { call: CallId, rate: u32, samples: Vec<u8> },
    Close { call: CallId },
    Sync(oneshot::Sender<()>),
}

impl Recorder {
    /// Write below `dir`, which is made if it is missing.
    pub fn start(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let (orders, inbox) = sync_channel(QUEUE);
        let writer = Writer { dir: dir.clone(), files: HashMap::new() };
        thread::Builder::new().name("recorder".to_owned()).spawn(move || writer.run(inbox))?;
        Ok(Self { orders, dir })
    }

    /// Begin to record a call whose leg speaks `format`.
    pub fn start_call(&self, call: CallId, format: AudioFormat) -> Recording {
        let rate = format.sample_rate();
        Recording {
            call,
            rate,
            orders: self.orders.clone(),
            remote: Vec::with_capacity(rate.hz() as usize * 2),
            voice: Vec::with_capacity(rate.hz() as usize * 2),
            handed_over: 0,
            lost: 0,
        }
    }

    pub fn path(&self, call: CallId) -> PathBuf {
        path(&self.dir, call)
    }

    /// Wait until everything handed over so far is on disk.
    pub async fn sync(&self) {
        let (done, wait) = oneshot::channel();
        if self.orders.try_send(Order::Sync(done)).is_ok() {
            let _ = wait.await;
        }
    }

    /// The recording of a call that is over; `None` when nothing was recorded.
    pub fn finished(&self, call: CallId) -> Option<Finished> {
        let path = self.path(call);
        let mut header = [0; HEADER];
        let mut file = File::open(&path).ok()?;
        file.read_exact(&mut header).ok()?;
        let bytes_per_second = u32::from_le_bytes([header[28], header[29], header[30], header[31]]).max(1);
        let bytes = file.metadata().ok()?.len();
        let duration_ms = (bytes - HEADER as u64) * 1_000 / u64::from(bytes_per_second);
        Some(Finished { path, bytes, duration_ms: duration_ms as u32 })
    }

    /// Repair the recording of a call whose writer was killed; whether there was one.
    pub fn recover(&self, call: CallId) -> bool {
        let file = OpenOptions::new().read(true).write(true).open(self.path(call));
        file.is_ok_and(|mut file| repair_header(&mut file).is_ok())
    }
}

/// A recording on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub path: PathBuf,
    pub bytes: u64,
    pub duration_ms: u32,
}

fn path(dir: &Path, call: CallId) -> PathBuf {
    dir.join(format!("{call}.wav"))
}

/// One call's recording, filled by its session.
#[derive(Debug)]
pub struct Recording {
    call: CallId,
    rate: SampleRate,
    orders: SyncSender<Order>,
    remote: Vec<i16>,
    voice: Vec<i16>,
    /// Samples of each side that went to the writer.
    handed_over: u64,
    lost: u64,
}

impl Recording {
    pub fn remote(&mut self, frame: &Frame) {
        decode(frame, &mut self.remote);
        self.hand_over_seconds();
    }

    pub fn voice(&mut self, frame: &Frame) {
        decode(frame, &mut self.voice);
        self.hand_over_seconds();
    }

    /// Write the rest; the length in milliseconds.
    pub fn finish(mut self) -> u32 {
        let length = self.remote.len().max(self.voice.len());
        self.hand_over(length);
        if let Err(TrySendError::Full(close)) = self.orders.try_send(Order::Close { call: self.call }) {
            // The close must arrive, but a busy disk must not hold up other calls.
            let orders = self.orders.clone();
            thread::spawn(move || orders.send(close));
        }
        (self.handed_over * 1_000 / u64::from(self.rate.hz())) as u32
    }

    /// Audio the disk was too slow for.
    pub fn lost_ms(&self) -> u64 {
        self.lost * 1_000 / u64::from(self.rate.hz())
    }

    fn hand_over_seconds(&mut self) {
        let second = self.rate.hz() as usize;
        let (short, long) =
            (self.remote.len().min(self.voice.len()), self.remote.len().max(self.voice.len()));
        let skew = second * MAX_SKEW_MS / 1_000;
        if short >= second {
            self.hand_over(short);
        } else if long >= second + skew {
            self.hand_over(long - skew);
        }
    }

    /// Interleave `length` samples of both sides, silence where one has none.
    fn hand_over(&mut self, length: usize) {
        let mut samples = Vec::with_capacity(length * 4);
        for index in 0..length {
            let left = self.remote.get(index).copied().unwrap_or(0);
            let right = self.voice.get(index).copied().unwrap_or(0);
            samples.extend_from_slice(&left.to_le_bytes());
            samples.extend_from_slice(&right.to_le_bytes());
        }
        self.remote.drain(..length.min(self.remote.len()));
        self.voice.drain(..length.min(self.voice.len()));
        self.handed_over += length as u64;
        let order = Order::Write { call: self.call, rate: self.rate.hz(), samples };
        if let Err(TrySendError::Full(_)) = self.orders.try_send(order) {
            self.lost += length as u64;
        }
    }
}

fn decode(frame: &Frame, samples: &mut Vec<i16>) {
    match frame.format() {
        AudioFormat::Pcmu => samples.extend(frame.bytes().iter().map(|byte| g711::decode_ulaw(*byte))),
        AudioFormat::Pcma => samples.extend(frame.bytes().iter().map(|byte| g711::decode_alaw(*byte))),
        AudioFormat::Pcm16(_) => {
            samples.extend(frame.bytes().chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        }
    }
}

struct Writer {
    dir: PathBuf,
    files: HashMap<CallId, File>,
}

impl Writer {
    fn run(mut self, inbox: Receiver<Order>) {
        while let Ok(order) = inbox.recv() {
            let done = match order {
                Order::Write { call, rate, samples } => self.write(call, rate, &samples),
                Order::Sync(done) => {
                    let _ = done.send(());
                    Ok(())
                }
                Order::Close { call } => self.files.remove(&call).map_or(Ok(()), |file| file.sync_data()),
            };
            if let Err(error) = done {
                tracing::error!(%error, "a recording can't be written; check the disk");
            }
        }
    }

    fn write(&mut self, call: CallId, rate: u32, samples: &[u8]) -> io::Result<()> {
        let file = match self.files.entry(call) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(create(&path(&self.dir, call), rate)?),
        };
        file.write_all(samples)?;
        repair_header(file)
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
    file.write_all(&header(rate))?;
    Ok(file)
}

/// A canonical WAV header: PCM, two channels, 16 bit.
fn header(rate: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0..4].copy_from_slice(b"RIFF");
    header[4..8].copy_from_slice(&(HEADER as u32 - 8).to_le_bytes());
    header[8..16].copy_from_slice(b"WAVEfmt ");
    header[16..20].copy_from_slice(&16u32.to_le_bytes());
    header[20..22].copy_from_slice(&1u16.to_le_bytes());
    header[22..24].copy_from_slice(&2u16.to_le_bytes());
    header[24..28].copy_from_slice(&rate.to_le_bytes());
    header[28..32].copy_from_slice(&(rate * 4).to_le_bytes());
    header[32..34].copy_from_slice(&4u16.to_le_bytes());
    header[34..36].copy_from_slice(&16u16.to_le_bytes());
    header[36..40].copy_from_slice(b"data");
    header
}

/// Make the two sizes of the header agree with the length of the file.
fn repair_header(file: &mut File) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    let data = length.saturating_sub(HEADER as u64) as u32 / 4 * 4;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(&(data + HEADER as u32 - 8).to_le_bytes())?;
    file.seek(SeekFrom::Start(40))?;
    file.write_all(&data.to_le_bytes())?;
    file.seek(SeekFrom::End(0))?;
    Ok(())
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

    #[tokio::test]
    async fn the_remote_is_left_and_the_voice_right() {
        let dir = tempfile::tempdir().expect("a directory");
        let recorder = Recorder::start(dir.path().to_owned()).expect("a recorder");
        let mut recording = recorder.start_call(call(), AudioFormat::Pcmu);
        let loud = Frame::from_bytes(AudioFormat::Pcmu, &[0x80; 160]).expect("a frame");
        for _ in 0..100 {
            recording.remote(&loud);
            recording.voice(&Frame::silence(AudioFormat::Pcmu));
        }
        assert_eq!(recording.finish(), 2_000);
        recorder.sync().await;
        let samples = samples(&recorder.path(call()));
        assert_eq!(samples.len(), 32_000);
        assert!(samples.chunks(2).all(|pair| pair[0] > 30_000 && pair[1] == 0));
    }

    #[test]
    fn a_file_whose_writer_was_killed_is_repaired() {
        let dir = tempfile::tempdir().expect("a directory");
        let recorder = Recorder::start(dir.path().to_owned()).expect("a recorder");
        let path = recorder.path(call());
        let mut torn = header(8_000).to_vec();
        torn.extend([1; 4 * 800 + 3]);
        fs::write(&path, torn).expect("a torn file");
        assert!(recorder.recover(call()));
        assert_eq!(recorder.finished(call()).map(|found| found.duration_ms), Some(100));
        assert_eq!(samples(&path).len(), 1_600);
    }
}
