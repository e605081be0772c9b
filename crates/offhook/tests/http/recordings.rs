//! Recordings: found with a key, opened with a signature.

use crate::server::{HANGS_UP, Server, send};

#[tokio::test]
async fn a_recording_is_found_with_the_key_and_opened_without_it() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(HANGS_UP).await;
    agent.finalized(&id).await;

    let found = agent.get(&format!("/call/{id}/recording")).await;
    assert_eq!(found.status, 302);
    let link = found.header("location").expect("the link").to_owned();
    assert!(link.starts_with(&server.url()), "{link}");

    let whole = send(server.get(&link)).await;
    assert_eq!((whole.status.as_u16(), whole.header("content-type")), (200, Some("audio/wav")));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert!(whole.bytes.starts_with(b"RIFF") && &whole.bytes[8..12] == b"WAVE", "{:?}", &whole.bytes[..12]);
    let length = whole.bytes.len();

    let part = send(server.get(&link).header("Range", "bytes=4-11")).await;
    assert_eq!((part.status.as_u16(), part.bytes.as_slice()), (206, &whole.bytes[4..12]));
    assert_eq!(part.header("content-range"), Some(format!("bytes 4-11/{length}").as_str()));

    let beyond = send(server.get(&link).header("Range", format!("bytes={length}-"))).await;
    assert_eq!((beyond.status.as_u16(), beyond.code().as_str()), (416, "range_not_satisfiable"));
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{length}").as_str()));

    for wrong in [
        link.replace("signature=", "signature=A"),
        link.replace("expires=", "expires=9"),
        link.split('?').next().unwrap().to_owned(),
    ] {
        let answer = send(server.get(&wrong)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (404, "recording_not_available"),
            "{wrong}"
        );
    }
    server.stop().await;
}
