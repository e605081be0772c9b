//! The audience of a resource's callbacks.

use offhook_store::*;

use crate::backend::Backend;
use crate::story::at;

pub async fn the_first_audience_counts_until_it_is_forgotten(backend: &Backend) {
    let store = backend.open().await;
    let (ours, other) = ("ours.communication.azure.com", "other.communication.azure.com");
    assert_eq!(store.acs_audience(ours).await.unwrap(), None);
    let first = AudienceRow { audience: "one".to_owned(), learned_at: at(1) };
    for (audience, now) in [("one", 1), ("two", 2), ("one", 3)] {
        assert_eq!(store.learn_acs_audience(ours, audience, at(now)).await.unwrap(), first);
    }
    assert_eq!(store.acs_audience(ours).await.unwrap(), Some(first));
    assert_eq!(store.acs_audience(other).await.unwrap(), None);
    assert!(!store.forget_acs_audience(other).await.unwrap());
    assert!(store.forget_acs_audience(ours).await.unwrap());
    let anew = store.learn_acs_audience(ours, "two", at(4)).await.unwrap();
    assert_eq!(anew, AudienceRow { audience: "two".to_owned(), learned_at: at(4) });
}
