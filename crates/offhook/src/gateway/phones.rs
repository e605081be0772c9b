//! The user's own phone: where a live handoff goes that names no number.

use offhook_core::{OwnerId, PhoneNumber};
use offhook_store::{PhoneRow, StoreError};

use super::Gateway;

/// Why a handoff to the user's own phone can't be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountPhoneError {
    #[error(
        "loop_in_user needs one confirmed phone of the account, or a primary one, and there is none; ask whoever runs \
         this line to confirm yours, or send bridge_number"
    )]
    Unavailable,
    #[error("the phones of the account can't be looked up right now; try again shortly")]
    Lookup,
}

impl AccountPhoneError {
    /// As every answer names it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "account_phone_unavailable",
            Self::Lookup => "account_phone_lookup_unavailable",
        }
    }
}

impl Gateway {
    /// The phone of an owner that a call may be handed over to: the primary one, or the only one.
    pub async fn account_phone(&self, owner: OwnerId) -> Result<PhoneNumber, AccountPhoneError> {
        let phones = self.inner.store.phones(owner).await.map_err(|error| {
            tracing::error!(%error, "the phones of an account can't be read");
            AccountPhoneError::Lookup
        })?;
        chosen(&phones).ok_or(AccountPhoneError::Unavailable)
    }

    /// The confirmed phones of an owner.
    pub(super) async fn own_phones(&self, owner: OwnerId) -> Result<Vec<PhoneNumber>, StoreError> {
        let phones = self.inner.store.phones(owner).await?;
        Ok(phones.iter().filter_map(|phone| phone.number.parse().ok()).collect())
    }
}

/// The primary one comes first.
pub(super) fn chosen(phones: &[PhoneRow]) -> Option<PhoneNumber> {
    let phone = match phones {
        [phone, ..] if phone.primary => phone,
        [phone] => phone,
        _ => return None,
    };
    phone.number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_core::Timestamp;

    #[test]
    fn the_primary_phone_or_the_only_one() {
        let phone = |number: &str, primary| PhoneRow {
            number: number.to_owned(),
            primary,
            confirmed_at: Timestamp::default(),
        };
        let (home, work) = ("+13125550163", "+13125550164");
        for (phones, expected) in [
            (vec![], None),
            (vec![phone(home, false)], Some(home)),
            (vec![phone(home, true)], Some(home)),
            (vec![phone(home, false), phone(work, false)], None),
            (vec![phone(work, true), phone(home, false)], Some(work)),
            (vec![phone("a phone", true)], None),
        ] {
            let found = chosen(&phones);
            assert_eq!(found.as_ref().map(PhoneNumber::as_e164), expected, "{phones:?}");
        }
    }
}
