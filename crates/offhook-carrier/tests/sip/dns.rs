//! A name server with a zone of a few records, on a port of its own.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

#[derive(Default)]
pub struct Zone {
    records: Vec<(Name, RData)>,
}

/// Answers until it is dropped.
pub struct NameServer {
    pub addr: SocketAddr,
    /// Questions answered so far.
    pub asked: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

fn name(text: &str) -> Name {
    Name::from_utf8(format!("{text}.")).unwrap()
}

impl Zone {
    pub fn address(mut self, host: &str, ip: &str) -> Self {
        let IpAddr::V4(ip) = ip.parse().unwrap() else { panic!("{ip} is for AAAA") };
        self.records.push((name(host), RData::A(A(ip))));
        self
    }

    pub fn service(mut self, service: &str, priority: u16, weight: u16, port: u16, host: &str) -> Self {
        self.records.push((name(service), RData::SRV(SRV::new(priority, weight, port, name(host)))));
        self
    }

    pub fn rule(mut self, domain: &str, order: u16, services: &str, replacement: &str) -> Self {
        let (flags, services, regexp) = (b"s"[..].into(), services.as_bytes().into(), b""[..].into());
        let rule = NAPTR::new(order, 10, flags, services, regexp, name(replacement));
        self.records.push((name(domain), RData::NAPTR(rule)));
        self
    }

    pub async fn serve(self) -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let reply = self.reply(&Message::from_vec(&buffer[..length]).unwrap());
                socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        NameServer { addr, asked, _task: AbortOnDropHandle::new(task) }
    }

    fn reply(&self, question: &Message) -> Message {
        let mut reply = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
        reply.metadata.recursion_desired = question.metadata.recursion_desired;
        reply.metadata.recursion_available = true;
        let mut known = false;
        for query in &question.queries {
            let here = self.records.iter().filter(|(name, _)| name == query.name());
            for (name, data) in here {
                known = true;
                if data.record_type() == query.query_type() {
                    reply.add_answer(Record::from_rdata(name.clone(), 300, data.clone()));
                }
            }
            reply.add_query(query.clone());
        }
        reply.metadata.response_code = if known { ResponseCode::NoError } else { ResponseCode::NXDomain };
        reply
    }
}

/// Whether it was really asked: the tests must not pass by another way.
impl Drop for NameServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.asked.load(Ordering::Relaxed) > 0, "nobody asked the DNS");
        }
    }
}

#[tokio::test]
async fn the_server_itself_answers_what_is_in_its_zone() {
    use hickory_resolver::proto::op::Query;
    let server = Zone::default().address("a.example", "192.0.2.1").serve().await;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for (host, kind, answers, code) in [
        ("a.example", RecordType::A, 1, ResponseCode::NoError),
        ("a.example", RecordType::AAAA, 0, ResponseCode::NoError),
        ("b.example", RecordType::A, 0, ResponseCode::NXDomain),
    ] {
        let mut question = Message::query();
        question.add_query(Query::query(name(host), kind));
        client.send_to(&question.to_vec().unwrap(), server.addr).await.unwrap();
        let mut buffer = [0; 512];
        let length = client.recv(&mut buffer).await.unwrap();
        let reply = Message::from_vec(&buffer[..length]).unwrap();
        assert_eq!((reply.answers.len(), reply.metadata.response_code), (answers, code), "{host} {kind}");
    }
}
