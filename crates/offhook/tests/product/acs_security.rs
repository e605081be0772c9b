//! Who is let in at the doors of Azure Communication Services, and who is not.
//!
//! Two layers: the secret of a call in its address, and a token that Microsoft signs. What a bridge that is open to the
//! internet must do better than one that trusts whoever finds it:
//!
//! | # | what must hold | test |
//! |---|---|---|
//! | 30 | closed unless both layers are right, on callbacks and media | `tokens::…` |
//! | 31 | the token of another resource is refused; the audience is configured, or learned and kept | `audience::…` |
//! | 32 | a hundred callbacks, one question for keys; a new key is found at once; slow keys delay no frame | `keys::…` |
//! | 33 | secrets of one call, compared in constant time, gone with it, never in the log | `calls::…` |
//! | 34 | the secret of the subscription outlives a restart | `incoming::a_secret_nobody_configured_outlives_a_restart` |
//! | 35–37 | who may call, what they get, what may be called and spent | `inbound`, `voice_tool`, `numbers` |
//! | 38 | exact routes, and nothing of the API | `doors::…` |
//! | 39 | nothing private in the log, nothing of the inside in an answer | `doors::a_stranger_learns_nothing`, and the log of every test here |
//! | 40 | no foreign handshake, no foreign events | `incoming::…` |
//! | 41 | every secret by reference, shown nowhere | `secrets::…` |

mod audience;
mod calls;
mod doctor;
mod doors;
mod incoming;
mod keys;
mod rig;
mod secrets;
mod tokens;
mod tunnel;
