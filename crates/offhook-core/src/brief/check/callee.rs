//! What some kinds of places usually ask their callers for.

use super::reading::Reading;

pub struct Callee {
    /// By these words it is recognised.
    words: &'static [&'static str],
    /// What they ask for, and how a briefing says it.
    asks: &'static [(&'static str, &'static [&'static str])],
    /// Whether they are likely to want a one-time code, a payment or a decision while the call is on.
    pub verifies: bool,
}

/// Of several that fit, the first is taken.
pub fn of(task: &Reading) -> Option<&'static Callee> {
    CALLEES.iter().find(|callee| task.says(callee.words))
}

impl Callee {
    pub fn not_in(&self, briefing: &Reading) -> Vec<&'static str> {
        self.asks.iter().filter(|(_, said)| !briefing.says(said)).map(|(what, _)| *what).collect()
    }
}

const BIRTH: &[&str] = &["date of birth", "birth date", "birthdate", "birthday", "dob", "born"];
const INSURANCE: &[&str] = &["insur*", "member id", "policy number", "self pay"];
const PHONE: &[&str] =
    &["phone", "callback number", "telephone", "call back number", "number on file", "reach"];
const REFERENCE: &[&str] = &[
    "reference*",
    "confirmation number",
    "confirmation code",
    "booking number",
    "reservation number",
    "order number",
    "work order",
    "ticket*",
    "case number",
    "invoice*",
    "tracking*",
];
const ACCOUNT: &[&str] = &["account number", "account no", "customer number", "account ending", "member*"];

const ORDER: &[&str] =
    &["order number", "work order", "invoice number", "account number", "reference*", "tracking*"];

const CALLEES: &[Callee] = &[
    Callee {
        words: &["airline*", "flight*", "airways", "boarding", "record locator"],
        asks: &[(
            "the record locator",
            &["record locator", "booking reference", "confirmation*", "pnr", "reservation code"],
        )],
        verifies: true,
    },
    Callee {
        words: &[
            "doctor*",
            "dr",
            "dentist*",
            "dental",
            "clinic",
            "hospital",
            "physician",
            "medical",
            "patient",
            "pharmacy",
            "prescription*",
            "vet",
            "veterinar*",
            "therap*",
            "optometr*",
            "orthodont*",
        ],
        asks: &[
            ("the patient's date of birth", BIRTH),
            ("the insurance", INSURANCE),
            ("a callback number", PHONE),
        ],
        verifies: false,
    },
    Callee {
        words: &["bank", "credit union", "credit card company", "mortgage", "loan", "card issuer"],
        asks: &[
            (
                "the account number or its last four digits",
                &["account number", "last four", "last 4", "account ending"],
            ),
            ("the date of birth or address on file", &["date of birth", "dob", "address", "billing address"]),
        ],
        verifies: true,
    },
    Callee {
        words: &[
            "insurance company",
            "insurer",
            "insurance claim",
            "claim number",
            "claims department",
            "policy number",
        ],
        asks: &[
            ("the policy or claim number", &["policy number", "claim number", "policy", "claim"]),
            ("the date of birth", BIRTH),
        ],
        verifies: true,
    },
    Callee {
        words: &[
            "electric*",
            "utility",
            "utilities",
            "internet provider",
            "cable company",
            "phone company",
            "wireless",
            "broadband",
            "subscription*",
            "isp",
            "gas company",
            "water company",
        ],
        asks: &[
            ("the account number", ACCOUNT),
            ("the service address", &["address", "street", "avenue", "apartment", "unit"]),
            ("the account PIN or the last four digits on file", &["pin", "last four", "last 4", "passcode"]),
        ],
        verifies: true,
    },
    Callee {
        words: &["hotel", "inn", "resort", "front desk", "check in date"],
        asks: &[(
            "the confirmation number or the dates",
            &["confirmation*", "nights", "check in", "checking in", "arriv*"],
        )],
        verifies: false,
    },
    Callee {
        words: &["restaurant", "table for", "a table", "dinner reservation", "lunch reservation"],
        asks: &[
            (
                "the size of the party",
                &["table for", "party of", "people", "guests", "persons", "adults", "of us"],
            ),
            ("a callback number", PHONE),
        ],
        verifies: false,
    },
    Callee {
        words: &["garage", "mechanic", "car repair", "auto repair", "body shop", "oil change", "tire*"],
        asks: &[
            (
                "make, model and year of the vehicle",
                &["model", "toyota", "honda", "ford", "bmw", "subaru", "tesla", "vin"],
            ),
            ("the work order or licence plate", &["work order", "plate", "repair order", "vin", "quote"]),
        ],
        verifies: false,
    },
    Callee {
        words: &[
            "order", "orders", "deliver*", "package", "shipment", "refund*", "return", "warranty",
            "invoice*", "billing", "bill",
        ],
        asks: &[
            ("the order, invoice or account number", ORDER),
            (
                "the name and email or phone on the order",
                &["email", "phone", "on behalf of", "name", "address"],
            ),
        ],
        verifies: false,
    },
    Callee {
        words: &["repair*", "ticket number", "case number", "support line"],
        asks: &[("a reference number", REFERENCE)],
        verifies: false,
    },
];
