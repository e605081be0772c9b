//! baresip, a softphone, told what to do over its control socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::timeout;

use super::{PATIENCE, Protocol, command, free_port, is_open, start, until};

/// Where Debian keeps its modules.
const MODULES: &str = "/usr/lib/baresip/modules";

/// A softphone somebody is about to switch on.
#[derive(Clone, Copy, Debug)]
pub struct Phone<'a> {
    /// The user part of its address.
    pub user: &'a str,
    pub answers: bool,
    /// What it says, over and over: 8000 Hz mono.
    pub says: &'a [i16],
    /// Further lines of its configuration and parameters of its account.
    pub settings: &'a str,
    pub account: &'a str,
}

/// A softphone that is switched on. It dies with the test.
#[derive(Debug)]
pub struct Baresip {
    child: Child,
    control: TcpStream,
    received: Vec<u8>,
    dir: TempDir,
    pub addr: SocketAddr,
}

impl Phone<'_> {
    /// Switch it on.
    pub async fn start(&self) -> Baresip {
        let mut why = String::new();
        for _ in 0..3 {
            match self.try_start().await {
                Ok(baresip) => return baresip,
                // Somebody took one of its ports since it was found to be free.
                Err(output) => why = output,
            }
        }
        panic!("baresip does not start\n{why}");
    }

    async fn try_start(&self) -> Result<Baresip, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let (sip, control) = (free_port(Protocol::Udp), free_port(Protocol::Tcp));
        write_wav(&dir.path().join("says.wav"), self.says);
        std::fs::write(dir.path().join("config"), self.config(dir.path(), sip, control)).expect("a file");
        std::fs::write(dir.path().join("accounts"), self.account(sip)).expect("a file");
        std::fs::write(dir.path().join("contacts"), "").expect("a file");
        let output = std::fs::File::create(dir.path().join("output")).expect("a file");
        let mut command = command("baresip");
        command.arg("-f").arg(dir.path()).args(["-4", "-s"]);
        command.stdout(Stdio::from(output.try_clone().expect("a file"))).stderr(Stdio::from(output));
        let mut child = start(&mut command);
        let listens = || is_open(Protocol::Udp, sip) && is_open(Protocol::Tcp, control);
        tokio::select! {
            biased;
            _ = child.wait() => return Err(output_in(dir.path())),
            () = until("baresip listens", listens) => {}
        }
        let control = TcpStream::connect(("127.0.0.1", control)).await.expect("its control socket");
        let addr = SocketAddr::from(([127, 0, 0, 1], sip));
        Ok(Baresip { child, control, received: Vec::new(), dir, addr })
    }

    fn config(&self, dir: &Path, sip: u16, control: u16) -> String {
        let dir = dir.display();
        format!(
            "net_interface 127.0.0.1\nsip_listen 127.0.0.1:{sip}\n\
             audio_source aufile,{dir}/says.wav\n\
             audio_player aubridge,nobody\n\
             audio_alert aubridge,nobody\n\
             ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
             snd_path {dir}\n\
             ctrl_tcp_listen 127.0.0.1:{control}\n\
             module_path {MODULES}\n\
             module g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\nmodule srtp.so\n\
             module ctrl_tcp.so\nmodule_tmp account.so\nmodule_app menu.so\n\
             {}\n",
            self.settings
        )
    }

    fn account(&self, sip: u16) -> String {
        let answer = if self.answers { "auto" } else { "manual" };
        format!("<sip:{}@127.0.0.1:{sip}>;regint=0;answermode={answer}{}\n", self.user, self.account)
    }
}

fn output_in(dir: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(dir.join("output")).unwrap_or_default()).into_owned()
}

impl Baresip {
    pub async fn dial(&mut self, uri: &str) {
        self.command("dial", uri).await;
    }

    pub async fn hang_up(&mut self) {
        self.command("hangup", "").await;
    }

    /// Put the other side on hold, or take it back.
    pub async fn hold(&mut self, hold: bool) {
        self.command(if hold { "hold" } else { "resume" }, "").await;
    }

    pub async fn press(&mut self, key: char) {
        self.command("sndcode", &key.to_string()).await;
    }

    async fn command(&mut self, command: &str, params: &str) {
        let message = format!("{{\"command\":\"{command}\",\"params\":\"{params}\"}}");
        let netstring = format!("{}:{message},", message.len());
        self.control.write_all(netstring.as_bytes()).await.expect("baresip listens");
    }

    /// Wait until it reports an event of this type, e.g. `CALL_ESTABLISHED`; the report.
    pub async fn until(&mut self, event: &str) -> String {
        let wanted = format!("\"type\":\"{event}\"");
        let told = timeout(PATIENCE, async {
            loop {
                let message = self.message().await;
                if message.contains(&wanted) {
                    return message;
                }
            }
        });
        told.await.unwrap_or_else(|_| panic!("baresip reports no {event}"))
    }

    /// The next message on the control socket: `<length>:<JSON>,`
    async fn message(&mut self) -> String {
        loop {
            if let Some(colon) = self.received.iter().position(|byte| *byte == b':') {
                let length: usize =
                    String::from_utf8_lossy(&self.received[..colon]).parse().expect("a length");
                if self.received.len() > colon + 1 + length {
                    let message: Vec<u8> = self.received.drain(..colon + 2 + length).collect();
                    return String::from_utf8_lossy(&message[colon + 1..colon + 1 + length]).into_owned();
                }
            }
            let read = self.control.read_buf(&mut self.received).await.expect("baresip talks");
            assert!(read > 0, "baresip is gone");
        }
    }

    /// Switch it off; what it heard in its only call.
    pub async fn heard(mut self) -> Vec<i16> {
        self.command("quit", "").await;
        let status = timeout(PATIENCE, self.child.wait()).await.expect("baresip quits").expect("its status");
        assert!(status.success(), "{status}");
        let recorded: Vec<PathBuf> = std::fs::read_dir(self.dir.path())
            .expect("its directory")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        match &recorded[..] {
            [one] => read_wav(one),
            others => panic!("one recording, not {others:?}"),
        }
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("baresip\n{}", output_in(self.dir.path()));
        }
    }
}

fn write_wav(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).expect("a WAV file");
    for sample in samples {
        wav.write_sample(*sample).expect("a WAV file");
    }
    wav.finalize().expect("a WAV file");
}

fn read_wav(path: &Path) -> Vec<i16> {
    let mut wav = hound::WavReader::open(path).expect("a WAV file");
    assert_eq!((wav.spec().sample_rate, wav.spec().channels), (8_000, 1));
    wav.samples::<i16>().map(|sample| sample.expect("a sample")).collect()
}
