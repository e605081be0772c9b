//! PINs of accounts, as the database keeps them: sealed with a key that is made of the installation's secret, which is
//! in a file beside it. A hash would not do: of a few digits all can be tried in no time.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_core::OwnerId;
use offhook_core::brief::Pin;

use super::super::Secret;

/// `None` where the machine has no random numbers.
pub(in crate::gateway) fn seal(secret: &Secret, owner: OwnerId, digits: &str) -> Option<String> {
    let mut sealed = digits.as_bytes().to_vec();
    let nonce = key(secret, owner)?.seal_in_place_append_tag(Aad::from(aad(owner)), &mut sealed).ok()?;
    let whole = [&nonce.as_ref()[..], &sealed].concat();
    Some(STANDARD.encode(whole))
}

/// `None` where it was sealed with another secret.
pub(in crate::gateway) fn opened(secret: &Secret, owner: OwnerId, sealed: &str) -> Option<Pin> {
    let whole = STANDARD.decode(sealed).ok()?;
    let (nonce, sealed) = whole.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut sealed = sealed.to_vec();
    let digits = key(secret, owner)?.open_in_place(nonce, Aad::from(aad(owner)), &mut sealed).ok()?;
    Pin::parse(std::str::from_utf8(digits).ok()?)
}

fn key(secret: &Secret, owner: OwnerId) -> Option<RandomizedNonceKey> {
    let key = secret.sign("pin", &[owner.to_string().as_bytes()]);
    RandomizedNonceKey::new(&AES_256_GCM, &key).ok()
}

fn aad(owner: OwnerId) -> String {
    owner.to_string()
}

#[cfg(test)]
mod tests {
    use offhook_core::Timestamp;

    use super::*;

    #[test]
    fn a_pin_is_opened_with_the_secret_and_the_owner_it_was_sealed_for() {
        let owner = |n| OwnerId::from_parts(Timestamp::default(), [n; 10]);
        let secret = Secret::from_bytes(&[1; 32]);
        let sealed = seal(&secret, owner(1), "24680").unwrap();
        assert!(!sealed.contains("24680") && sealed != seal(&secret, owner(1), "24680").unwrap());
        assert!(opened(&secret, owner(1), &sealed).is_some_and(|pin| pin.is("24680")));
        assert!(opened(&secret, owner(2), &sealed).is_none());
        assert!(opened(&Secret::from_bytes(&[2; 32]), owner(1), &sealed).is_none());
        assert!(opened(&secret, owner(1), "").is_none() && opened(&secret, owner(1), "AAAA").is_none());
    }
}
