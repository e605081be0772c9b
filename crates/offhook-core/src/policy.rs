//! May this call happen? Every refusal names its rule.
