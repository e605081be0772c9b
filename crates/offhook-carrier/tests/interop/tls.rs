//! OpenSSL as the TLS side of a far end whose SIP side is SIPp over TCP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use offhook_testkit::programs::{Protocol, command, is_open, start, until};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::task::JoinHandle;

/// A certificate for `localhost` that nobody but itself has signed, made by OpenSSL.
pub struct Identity {
    dir: TempDir,
}

impl Identity {
    pub async fn new() -> Self {
        let identity = Self { dir: tempfile::tempdir().unwrap() };
        let mut make = command("openssl");
        make.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]);
        make.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        make.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        make.arg("-keyout").arg(identity.key_file()).arg("-out").arg(identity.certificate_file());
        assert!(start(&mut make).wait().await.unwrap().success(), "OpenSSL makes no certificate");
        identity
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    pub fn certificate_file(&self) -> PathBuf {
        self.dir.path().join("certificate.pem")
    }

    pub fn key_pem(&self) -> String {
        std::fs::read_to_string(self.key_file()).unwrap()
    }

    pub fn certificate_pem(&self) -> Vec<u8> {
        std::fs::read(self.certificate_file()).unwrap()
    }
}

/// Both ends of a pipe through an OpenSSL process; it ends with the test.
pub struct Pipe {
    pub addr: SocketAddr,
    carries: JoinHandle<()>,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.carries.abort();
    }
}

/// Take one TLS connection, and carry what is in it to `inside`, which speaks TCP.
pub async fn server(identity: &Identity, port: u16, inside: SocketAddr) -> Pipe {
    let mut command = command("openssl");
    command.args(["s_server", "-quiet", "-naccept", "1", "-accept", &format!("127.0.0.1:{port}")]);
    command.arg("-key").arg(identity.key_file()).arg("-cert").arg(identity.certificate_file());
    let openssl = start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    until("OpenSSL listens", || is_open(Protocol::Tcp, port)).await;
    let carries = tokio::spawn(async move {
        if let Ok(tcp) = TcpStream::connect(inside).await {
            carry(tcp, openssl).await;
        }
    });
    Pipe { addr: SocketAddr::from(([127, 0, 0, 1], port)), carries }
}

/// Take one TCP connection, and carry what is in it through TLS to `outside`, whose certificate is checked.
pub async fn client(trusted: &Path, outside: SocketAddr) -> Pipe {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut command = command("openssl");
    command.args([
        "s_client",
        "-quiet",
        "-verify_quiet",
        "-verify_return_error",
        "-verify_hostname",
        "localhost",
    ]);
    command.arg("-CAfile").arg(trusted).args(["-connect", &outside.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let carries = tokio::spawn(async move {
        if let Ok((tcp, _)) = listener.accept().await {
            carry(tcp, start(&mut command)).await;
        }
    });
    Pipe { addr, carries }
}

async fn carry(mut tcp: TcpStream, mut openssl: Child) {
    let (Some(stdout), Some(stdin)) = (openssl.stdout.take(), openssl.stdin.take()) else { return };
    let mut tls = tokio::io::join(stdout, stdin);
    let _ = copy_bidirectional(&mut tcp, &mut tls).await;
}
