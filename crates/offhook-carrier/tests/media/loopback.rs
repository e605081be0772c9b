//! Two legs on the loopback interface, over real sockets.

use std::f32::consts::TAU;
use std::net::Ipv4Addr;
use std::time::Duration;

use offhook_carrier::media::{Direction, Media, MediaConfig, MediaEvent, SrtpPolicy};
use offhook_core::audio::g711;
use offhook_core::{AudioFormat, Digit, Frame};
use tokio::time::timeout;

fn config() -> MediaConfig {
    MediaConfig::new(Ipv4Addr::LOCALHOST.into())
}

fn pair(caller: &MediaConfig, callee: &MediaConfig) -> (Media, Media) {
    let (mut caller, mut callee) = (Media::bind(caller).unwrap(), Media::bind(callee).unwrap());
    let answer = callee.answer(&caller.offer()).unwrap();
    caller.accept(&answer).unwrap();
    (caller, callee)
}

async fn next(media: &mut Media) -> MediaEvent {
    timeout(Duration::from_secs(5), media.recv()).await.expect("an event in time")
}

async fn next_audio(media: &mut Media) -> Frame {
    loop {
        if let MediaEvent::Audio(frame) = next(media).await {
            return frame;
        }
    }
}

/// The `index`th 20 ms of a tone.
fn tone(format: AudioFormat, hz: f32, index: usize) -> Frame {
    let mut frame = Frame::silence(format);
    for (at, byte) in frame.bytes_mut().iter_mut().enumerate() {
        let sample = ((index * 160 + at) as f32 / 8_000.0 * hz * TAU).sin() * 8_000.0;
        *byte = match format {
            AudioFormat::Pcma => g711::encode_alaw(sample as i16),
            _ => g711::encode_ulaw(sample as i16),
        };
    }
    frame
}

/// How much of the sound is at this frequency, from 0 to 1 (Goertzel).
fn share_at(frames: &[Frame], hz: f32) -> f32 {
    let samples: Vec<f32> = frames
        .iter()
        .flat_map(|frame| frame.bytes().iter().map(|byte| (frame.format(), *byte)))
        .map(|(format, byte)| match format {
            AudioFormat::Pcma => f32::from(g711::decode_alaw(byte)),
            _ => f32::from(g711::decode_ulaw(byte)),
        })
        .collect();
    let (mut re, mut im, mut energy) = (0.0, 0.0, 1.0);
    for (at, sample) in samples.iter().enumerate() {
        let turn = at as f32 / 8_000.0 * hz * TAU;
        re += sample * turn.cos();
        im += sample * turn.sin();
        energy += sample * sample;
    }
    2.0 * (re * re + im * im) / (energy * samples.len() as f32)
}

/// Each plays its tone to the other, frame by frame; what each of them heard.
async fn talk(caller: &mut Media, callee: &mut Media, frames: usize) -> (Vec<Frame>, Vec<Frame>) {
    let (mut by_caller, mut by_callee) = (Vec::new(), Vec::new());
    for index in 0..frames {
        caller.play(&tone(caller.format().unwrap(), 440.0, index));
        by_callee.push(next_audio(callee).await);
        callee.play(&tone(callee.format().unwrap(), 1_000.0, index));
        by_caller.push(next_audio(caller).await);
    }
    (by_caller, by_callee)
}

#[tokio::test]
async fn tones_travel_both_ways_untouched() {
    for formats in [[AudioFormat::Pcmu, AudioFormat::Pcma], [AudioFormat::Pcma, AudioFormat::Pcmu]] {
        let preferring = MediaConfig { formats: formats.to_vec(), ..config() };
        let (mut caller, mut callee) = pair(&preferring, &config());
        assert_eq!((caller.format(), callee.format()), (Some(formats[0]), Some(formats[0])));

        let (by_caller, by_callee) = talk(&mut caller, &mut callee, 25).await;
        assert_eq!(by_callee, (0..25).map(|index| tone(formats[0], 440.0, index)).collect::<Vec<_>>());
        assert!(share_at(&by_caller, 1_000.0) > 0.95, "{}", share_at(&by_caller, 1_000.0));
        assert!(share_at(&by_caller, 440.0) < 0.01);
        assert!(share_at(&by_callee, 440.0) > 0.95);
        assert_eq!(caller.stats().sent_frames, 25);
        assert_eq!(callee.stats().received_frames, 25);
        assert_eq!(callee.stats().lost_frames, 0);
    }
}

#[tokio::test]
async fn keys_arrive_once_each_and_audio_goes_on_after_them() {
    let (mut caller, mut callee) = pair(&config(), &config());
    caller.play(&tone(AudioFormat::Pcmu, 440.0, 0));
    next_audio(&mut callee).await;
    caller.send_digits("1w#D");
    // Nine ticks a key, twenty-five for the pause.
    for index in 0..9 * 3 + 25 {
        caller.play(&tone(AudioFormat::Pcmu, 440.0, index));
    }
    assert_eq!(next(&mut caller).await, MediaEvent::DigitsSent);
    let mut keys = String::new();
    while keys.len() < 3 {
        if let MediaEvent::Digit(digit) = next(&mut callee).await {
            keys.push(Digit::as_char(digit));
        }
    }
    assert_eq!(keys, "1#D");
    caller.play(&tone(AudioFormat::Pcmu, 440.0, 0));
    while next_audio(&mut callee).await != tone(AudioFormat::Pcmu, 440.0, 0) {}
}

#[tokio::test]
async fn policies_that_differ_find_no_agreement() {
    let plain = config();
    let required = MediaConfig { srtp: SrtpPolicy::Required, ..config() };
    let offer = Media::bind(&required).unwrap().offer();
    assert!(Media::bind(&plain).unwrap().answer(&offer).is_err());
    let offer = Media::bind(&plain).unwrap().offer();
    assert!(Media::bind(&required).unwrap().answer(&offer).is_err());
}

#[tokio::test]
async fn encrypted_tones_travel_both_ways() {
    let with = |srtp| MediaConfig { srtp, ..config() };
    let table = [
        (SrtpPolicy::Required, SrtpPolicy::Required, true),
        (SrtpPolicy::Required, SrtpPolicy::Optional, true),
        (SrtpPolicy::Optional, SrtpPolicy::Required, true),
        (SrtpPolicy::Optional, SrtpPolicy::Optional, true),
        (SrtpPolicy::Optional, SrtpPolicy::Off, false),
        (SrtpPolicy::Off, SrtpPolicy::Optional, false),
    ];
    for (ours, theirs, encrypted) in table {
        let (mut caller, mut callee) = pair(&with(ours), &with(theirs));
        assert_eq!((caller.encrypted(), callee.encrypted()), (encrypted, encrypted), "{ours:?} {theirs:?}");
        let (by_caller, by_callee) = talk(&mut caller, &mut callee, 10).await;
        assert!(share_at(&by_caller, 1_000.0) > 0.95);
        assert!(share_at(&by_callee, 440.0) > 0.95);
    }
}

#[tokio::test]
async fn a_leg_that_does_not_know_the_key_is_not_heard() {
    let required = MediaConfig { srtp: SrtpPolicy::Required, ..config() };
    let (mut caller, mut callee) = pair(&required, &required);
    // A stranger who read the SDP without its keys, sending plain RTP to the right port.
    let mut stranger = Media::bind(&config()).unwrap();
    stranger.offer();
    let port = port_of(&callee.offer());
    let answer = format!("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 0\r\n");
    stranger.accept(&answer).unwrap();
    for index in 0..5 {
        stranger.play(&tone(AudioFormat::Pcmu, 700.0, index));
    }
    caller.play(&tone(AudioFormat::Pcmu, 440.0, 0));
    assert_eq!(next_audio(&mut callee).await, tone(AudioFormat::Pcmu, 440.0, 0));
    assert_eq!(callee.stats().received_frames, 1);
}

fn port_of(sdp: &str) -> u16 {
    let line = sdp.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn nothing_is_lost_when_waiting_is_given_up() {
    let (mut caller, mut callee) = pair(&config(), &config());
    for index in 0..20 {
        // A future that is polled once and dropped, before the frame and with it.
        assert!(poll_once(&mut callee).await.is_none());
        caller.play(&tone(AudioFormat::Pcmu, 440.0, index));
        let frame = match poll_once(&mut callee).await {
            Some(MediaEvent::Audio(frame)) => frame,
            _ => next_audio(&mut callee).await,
        };
        assert_eq!(frame, tone(AudioFormat::Pcmu, 440.0, index));
    }
}

async fn poll_once(media: &mut Media) -> Option<MediaEvent> {
    tokio::select! {
        biased;
        event = media.recv() => Some(event),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test(start_paused = true)]
async fn silence_of_packets_is_reported_once() {
    let limited = MediaConfig { stall_limit: Duration::from_secs(3), ..config() };
    let (_caller, mut callee) = pair(&config(), &limited);
    let began = tokio::time::Instant::now();
    assert_eq!(callee.recv().await, MediaEvent::Stalled);
    assert_eq!(began.elapsed().as_secs(), 3);
    assert!(timeout(Duration::from_secs(60), callee.recv()).await.is_err(), "reported once");
    callee.watch();
    assert_eq!(callee.recv().await, MediaEvent::Stalled, "and again when asked to watch again");
}

#[tokio::test]
async fn a_session_goes_on_after_it_was_held_and_offered_again() {
    for srtp in [SrtpPolicy::Off, SrtpPolicy::Required] {
        let config = MediaConfig { srtp, ..config() };
        let (mut caller, mut callee) = pair(&config, &config);
        talk(&mut caller, &mut callee, 5).await;

        // The far end holds: it must not hear us, and we know.
        let held = caller.offer().replace("a=sendrecv", "a=sendonly");
        assert!(callee.answer(&held).unwrap().contains("a=recvonly"));
        assert_eq!(callee.direction(), Direction::RecvOnly);
        let sent = callee.stats().sent_frames;
        callee.play(&tone(AudioFormat::Pcmu, 440.0, 0));
        assert_eq!(callee.stats().sent_frames, sent);

        // And takes the call back, by an offer of its own or by one of ours.
        let answer = callee.answer(&caller.offer()).unwrap();
        caller.accept(&answer).unwrap();
        let answer = caller.answer(&callee.offer()).unwrap();
        callee.accept(&answer).unwrap();
        assert_eq!((caller.direction(), callee.direction()), (Direction::SendRecv, Direction::SendRecv));
        let (by_caller, by_callee) = talk(&mut caller, &mut callee, 5).await;
        assert!(share_at(&by_caller, 1_000.0) > 0.9 && share_at(&by_callee, 440.0) > 0.9);
    }
}
