//! Whether a callback is Microsoft's: the token in its `Authorization` header.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_core::Timestamp;
use offhook_store::{Store, StoreError};

use super::keys::{FetchError, KeyCache, KeyError, KeyStatus, Source, Timing};
use super::token::{Claims, TokenError, Unverified};

/// Whom to believe.
#[derive(Clone, Debug)]
pub struct TrustConfig {
    /// Who may have signed a token.
    pub issuers: Vec<String>,
    pub source: Source,
    /// `None`: learned from the first callback that carries the secret of its call, too.
    pub audience: Option<String>,
    /// The application a token must have been issued to.
    pub application: Option<String>,
    /// Whether a request without any token is let in by its secret alone.
    pub accept_missing: bool,
    pub timing: Timing,
}

/// What a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer<'a> {
    Missing,
    Token(&'a str),
    /// Something else than one bearer token.
    Odd,
}

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it shows no token")]
    Missing,
    #[error("its token is not good: {0}")]
    Bad(#[from] TokenError),
    #[error("its token is not good: {0}")]
    Key(#[from] KeyError),
    #[error("the store can't be asked whom tokens are for")]
    Store,
}

impl Refused {
    /// Whether the same request may be good in a moment.
    pub fn passes(self) -> bool {
        matches!(self, Self::Key(KeyError::Away) | Self::Store)
    }
}

/// Whom tokens must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    Configured(String),
    Learned {
        audience: String,
        learned_at: Timestamp,
    },
    /// Learned from the next callback.
    NotYet,
}

/// Judges tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trust {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: TrustConfig,
    keys: KeyCache,
    learned: Option<Learned>,
}

/// The audience of a resource, first come, first served; only for requests that carry the secret of a call of ours.
#[derive(Debug)]
struct Learned {
    store: Store,
    /// Whose callbacks these are.
    resource: String,
    known: Mutex<Option<String>>,
    /// Held while the store is asked.
    learning: tokio::sync::Mutex<()>,
}

impl Trust {
    /// `learned` says where the audience is kept and of which resource it is, when it is not configured; without
    /// either no token is good.
    pub fn new(config: TrustConfig, learned: Option<(Store, String)>) -> Result<Self, reqwest::Error> {
        let keys = KeyCache::new(config.source.clone(), config.timing)?;
        let learned = learned.filter(|_| config.audience.is_none()).map(|(store, resource)| Learned {
            store,
            resource,
            known: Mutex::default(),
            learning: tokio::sync::Mutex::default(),
        });
        Ok(Self { inner: Arc::new(Inner { config, keys, learned }) })
    }

    /// Ask for the keys now, so that the first callback need not wait for them.
    pub fn warm(&self) {
        self.inner.keys.warm();
    }

    /// To be asked only about requests whose secret is right: the audience may be learned from this one.
    pub async fn judge(&self, bearer: Bearer<'_>, now: Timestamp) -> Result<(), Refused> {
        let config = &self.inner.config;
        let text = match bearer {
            Bearer::Missing if config.accept_missing => return Ok(()),
            Bearer::Missing => return Err(Refused::Missing),
            Bearer::Odd => return Err(TokenError::Malformed.into()),
            Bearer::Token(text) => text,
        };
        let token = Unverified::read(text)?;
        let key = self.inner.keys.key(token.kid()).await?;
        let claims = token.verify(&key)?;
        claims.is_of(&config.issuers)?;
        claims.is_valid_at(now)?;
        if let Some(application) = &config.application {
            claims.is_from_application(application)?;
        }
        match (&config.audience, &self.inner.learned) {
            (Some(audience), _) => Ok(claims.is_for(audience)?),
            (None, Some(learned)) => learned.judge(&claims, now).await,
            (None, None) => Err(TokenError::Audience.into()),
        }
    }

    /// How the keys are doing.
    pub fn keys(&self) -> KeyStatus {
        self.inner.keys.status()
    }

    /// Ask for the keys, whatever is known. How many there are.
    pub async fn check(&self) -> Result<usize, FetchError> {
        self.inner.keys.check().await
    }

    pub fn accepts_missing(&self) -> bool {
        self.inner.config.accept_missing
    }

    pub async fn audience(&self) -> Result<Audience, StoreError> {
        if let Some(audience) = &self.inner.config.audience {
            return Ok(Audience::Configured(audience.clone()));
        }
        let Some(learned) = &self.inner.learned else { return Ok(Audience::NotYet) };
        let row = learned.store.acs_audience(&learned.resource).await?;
        Ok(row.map_or(Audience::NotYet, |row| Audience::Learned {
            audience: row.audience,
            learned_at: row.learned_at,
        }))
    }
}

impl Learned {
    fn known(&self) -> MutexGuard<'_, Option<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn judge(&self, claims: &Claims, now: Timestamp) -> Result<(), Refused> {
        if self.known().as_ref().is_some_and(|known| claims.is_for(known).is_ok()) {
            return Ok(());
        }
        // Not known yet, or another than the known one: which may have been forgotten since.
        let _learning = self.learning.lock().await;
        let stored = self.store.acs_audience(&self.resource).await.map_err(|_| Refused::Store)?;
        let audience = match stored {
            Some(row) => row.audience,
            None => {
                let sole = claims.sole_audience().ok_or(TokenError::Audience)?;
                let learned = self.store.learn_acs_audience(&self.resource, sole, now).await;
                let learned = learned.map_err(|_| Refused::Store)?;
                tracing::info!(
                    "callbacks of this communication resource are signed for an audience that is now known"
                );
                learned.audience
            }
        };
        let judged = claims.is_for(&audience);
        *self.known() = Some(audience);
        Ok(judged?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

    use super::super::minting::Signer;
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);
    const ISSUER: &str = "https://issuer.example";
    const RESOURCE: &str = "ours.communication.azure.com";

    struct World {
        signer: Signer,
        server: MockServer,
        store: Store,
    }

    impl World {
        async fn new() -> Self {
            let (signer, server) = (Signer::new("one"), MockServer::start().await);
            let answer = ResponseTemplate::new(200).set_body_json(json!({ "keys": [signer.jwk()] }));
            Mock::given(matchers::any()).respond_with(answer).mount(&server).await;
            Self { signer, server, store: Store::open("sqlite::memory:").await.unwrap() }
        }

        fn config(&self) -> TrustConfig {
            TrustConfig {
                issuers: vec![ISSUER.to_owned()],
                source: Source::Keys(self.server.uri()),
                audience: None,
                application: None,
                accept_missing: false,
                timing: Timing::default(),
            }
        }

        fn trust(&self, config: TrustConfig) -> Trust {
            Trust::new(config, Some((self.store.clone(), RESOURCE.to_owned()))).unwrap()
        }

        fn token(&self, audience: Value) -> String {
            self.signer.sign(&json!({ "iss": ISSUER, "aud": audience, "exp": 1_800_000_300 }))
        }
    }

    async fn judge(trust: &Trust, token: &str) -> Result<(), Refused> {
        trust.judge(Bearer::Token(token), NOW).await
    }

    #[tokio::test]
    async fn a_missing_token_is_refused_unless_it_may_be_missing_and_a_bad_one_always() {
        let world = World::new().await;
        let strict = world.trust(world.config());
        let lax = world.trust(TrustConfig { accept_missing: true, ..world.config() });
        assert_eq!(strict.judge(Bearer::Missing, NOW).await, Err(Refused::Missing));
        assert_eq!(lax.judge(Bearer::Missing, NOW).await, Ok(()));
        for trust in [&strict, &lax] {
            assert_eq!(trust.judge(Bearer::Odd, NOW).await, Err(Refused::Bad(TokenError::Malformed)));
            assert_eq!(judge(trust, "garbage").await, Err(Refused::Bad(TokenError::Malformed)));
            let foreign =
                Signer::new("one").sign(&json!({ "iss": ISSUER, "aud": "x", "exp": 1_800_000_300 }));
            assert_eq!(judge(trust, &foreign).await, Err(Refused::Bad(TokenError::Signature)));
            let unknown = Signer::new("two").sign(&json!({}));
            assert_eq!(judge(trust, &unknown).await, Err(Refused::Key(KeyError::Unknown)));
        }
        assert_eq!(lax.audience().await.unwrap(), Audience::NotYet, "a bad token teaches nothing");
    }

    #[tokio::test]
    async fn the_audience_is_learned_once_and_outlives_the_process() {
        let world = World::new().await;
        let (ours, other) = (world.token(json!("ours")), world.token(json!("other")));
        let trust = world.trust(world.config());
        let two = world.token(json!(["ours", "other"]));
        assert_eq!(judge(&trust, &two).await, Err(Refused::Bad(TokenError::Audience)), "which one is it?");
        assert_eq!(judge(&trust, &ours).await, Ok(()));
        assert_eq!(judge(&trust, &two).await, Ok(()), "one of them is ours");
        assert_eq!(judge(&trust, &other).await, Err(Refused::Bad(TokenError::Audience)));
        let learned = Audience::Learned { audience: "ours".to_owned(), learned_at: NOW };
        assert_eq!(trust.audience().await.unwrap(), learned);

        let after_a_restart = world.trust(world.config());
        assert_eq!(judge(&after_a_restart, &other).await, Err(Refused::Bad(TokenError::Audience)));
        assert_eq!(judge(&after_a_restart, &ours).await, Ok(()));

        let config = TrustConfig { audience: Some("other".to_owned()), ..world.config() };
        let configured = world.trust(config);
        assert_eq!(judge(&configured, &ours).await, Err(Refused::Bad(TokenError::Audience)));
        assert_eq!(judge(&configured, &other).await, Ok(()));
        assert_eq!(configured.audience().await.unwrap(), Audience::Configured("other".to_owned()));

        world.store.forget_acs_audience(RESOURCE).await.unwrap();
        assert_eq!(judge(&trust, &other).await, Ok(()), "forgotten while it runs, and learned anew");
        assert_eq!(judge(&after_a_restart, &ours).await, Ok(()), "in each process at its next foreign token");
        assert_eq!(judge(&after_a_restart, &other).await, Ok(()));
        assert_eq!(judge(&after_a_restart, &ours).await, Err(Refused::Bad(TokenError::Audience)));
    }

    #[tokio::test]
    async fn no_token_is_good_where_its_application_is_not() {
        let world = World::new().await;
        let config = TrustConfig {
            audience: Some("ours".to_owned()),
            application: Some("grid".to_owned()),
            ..world.config()
        };
        let trust = world.trust(config);
        let claims = |app: &str| json!({ "iss": ISSUER, "aud": "ours", "exp": 1_800_000_300, "appid": app });
        assert_eq!(judge(&trust, &world.signer.sign(&claims("grid"))).await, Ok(()));
        let other = judge(&trust, &world.signer.sign(&claims("other"))).await;
        assert_eq!(other, Err(Refused::Bad(TokenError::Application)));
    }

    #[tokio::test]
    async fn an_issuer_that_is_away_refuses_for_the_moment() {
        let world = World::new().await;
        let timing = Timing { patience: Duration::from_secs(1), ..Timing::default() };
        let trust = world.trust(TrustConfig { timing, ..world.config() });
        world.server.reset().await;
        let refused = judge(&trust, &world.token(json!("ours"))).await.unwrap_err();
        assert!(refused.passes(), "{refused:?}");
        assert!(!Refused::Missing.passes() && !Refused::Bad(TokenError::Expired).passes());
    }
}
