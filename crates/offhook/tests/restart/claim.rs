//! Two processes on the same data would end each other's calls.

use offhook::app::{App, StartError};

use crate::world::{SILENT, World, wish};

#[tokio::test]
async fn a_second_process_is_refused_and_ends_no_call() {
    let world = World::new().await;
    let app = App::start(world.config.clone()).await.unwrap();
    let placed = app.gateway().place_call(None, wish(SILENT)).await.unwrap();
    let mut second = world.config.clone();
    second.sip = Some(crate::world::trunk(world.exchange.addr()));
    let refused = App::start(second).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, StartError::Claim(_)), "{refused}");
    assert!(refused.to_string().contains("another offhook"), "{refused}");
    let row = app.gateway().store().call(placed.call_id).await.unwrap().unwrap();
    assert_eq!(row.end, None, "the call goes on");
    app.shutdown().await;

    // It is free with the end of the first.
    App::start(world.config.clone()).await.unwrap().shutdown().await;
    world.exchange.shutdown().await;
}
