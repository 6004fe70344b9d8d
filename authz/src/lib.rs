//! Tokens, claims and grants: who may do what with which path, until when.
//!
//! Everything here is a value or a function. Key bytes, time and randomness are arguments; nothing is
//! fetched, awaited, logged or remembered.
//!
//! ```text
//! request ─▶ Carrier::lift ─▶ token, CanonicalPath ─▶ Gate::admit(verb, now) ─▶ Grant | Denial
//!                                                       ▲
//!                                          Policy + KeySet (one snapshot)
//! ```
//!
//! # What it refuses to do
//! - It makes no [`Grant`] but through [`Gate::admit`], and no grant without an expiry but on an open route.
//! - It knows one spelling of a path. Whatever could be read in two ways is a fault, not a guess
//!   ([`CanonicalPath`]).
//! - It does not accept a token that says anything it does not understand, that never expires, or that is for
//!   nothing.
//! - It lets no algorithm, key or place of a token be chosen by the token.
//! - It tells the viewer nothing but 401 or 403; reasons are for logs ([`Denial`]). No text of it holds a
//!   token or a secret.
//!
//! # Map
//! | module | |
//! |--------|-|
//! | `path`    | [`CanonicalPath`], the one spelling |
//! | `carrier` | [`Carrier`]: where a token is in a request |
//! | `verb`, `scope` | [`Verb`], [`Scope`], [`ResourceGlob`]: what may be done with what |
//! | `claims`  | [`Claims`]: what a token says |
//! | `key`, `keyset` | [`Key`], [`KeySet`] and the key file |
//! | `policy`  | [`Policy`]: what each part of the path space asks |
//! | `gate`    | [`Gate`], the only maker of a [`Grant`] |
//! | `grant`, `denial` | its two answers |
//! | `mint`    | [`mint()`] and [`inspect`] |
//! | `scheme`  | the dialects of tokens; the native one: HMAC-SHA256 over CBOR claims |
//! | `time`    | [`UnixSeconds`] |
//!
//! # Example
//! A token is minted, travels in the path of a request, and is asked about.
//!
//! ```
//! use authz::{
//!     CanonicalPath, Carrier, Claims, Denial, Family, Gate, Key, KeyId, KeySet, Policy, ResourceGlob, Scope,
//!     UnixSeconds, Verb, mint,
//! };
//!
//! # use forebay_authz as authz;
//! let now = UnixSeconds(1_800_000_000);
//! let random = [7; 32]; // from the operating system
//! let key = Key::generate(KeyId::parse("2027-01")?, random);
//!
//! let scope = Scope::new(Verb::Play, vec![ResourceGlob::parse("/vod/show/**")?])?;
//! let claims = Claims::new(UnixSeconds(now.0 + 3600), scope)?;
//! let token = mint(&claims, &key)?;
//! let carrier = Carrier::default();
//! let door = CanonicalPath::parse(b"/vod/show/main.m3u8")?;
//! let url = carrier.url_path(&token, &door).expect("the path prefix is on");
//! assert!(url.starts_with("/t/v1.2027-01."));
//!
//! let policy = Policy::closed().with(Family::guarded("/vod", Verb::Play)?)?.with(Family::open("/demo")?)?;
//! let gate = Gate::new(policy, KeySet::new(vec![key])?);
//!
//! let headers = http::HeaderMap::new();
//! let lifted = carrier.lift(&url, &headers)?;
//! assert_eq!(lifted.path.as_str(), "/vod/show/main.m3u8");
//! let grant = gate.admit(lifted.token, Verb::Play, &lifted.path, now)?;
//! assert_eq!(grant.lifetime_left(now), Some(std::time::Duration::from_secs(3600)));
//!
//! let other = CanonicalPath::parse(b"/vod/another/main.m3u8")?;
//! assert_eq!(gate.admit(lifted.token, Verb::Play, &other, now), Err(Denial::WrongPath));
//! assert_eq!(gate.admit(None, Verb::Play, &other, now), Err(Denial::NoToken));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod carrier;
mod claims;
mod denial;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod grant;
mod key;
mod keyset;
mod mint;
mod path;
mod policy;
mod scheme;
mod scope;
mod time;
mod verb;

pub use carrier::{Carrier, CarrierFault, Lifted, Transport};
pub use claims::{Claims, SessionId, Subject};
pub use denial::{Denial, DenialKind};
pub use error::Error;
pub use gate::Gate;
pub use grant::{Grant, LogId};
pub use key::{Key, KeyId, KeyState};
pub use keyset::KeySet;
pub use mint::{Inspection, Token, inspect, mint};
pub use path::{CanonicalPath, PathFault};
pub use policy::{Access, Family, Policy, Prefix};
pub use scope::{GlobFault, ResourceGlob, Scope};
pub use time::UnixSeconds;
pub use verb::{Verb, VerbSet};
