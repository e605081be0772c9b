//! The final SIP responses there are, and the end reason each becomes.

use std::fmt::Write as _;

use offhook_core::end::from_sip_status;

/// Those of the registry of IANA that can answer an INVITE; others count as x00 of their class.
const STATUSES: &[(u16, &str)] = &[
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Moved Temporarily"),
    (305, "Use Proxy"),
    (380, "Alternative Service"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (410, "Gone"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Unsupported URI Scheme"),
    (420, "Bad Extension"),
    (421, "Extension Required"),
    (422, "Session Interval Too Small"),
    (428, "Use Identity Header"),
    (430, "Flow Failed"),
    (433, "Anonymity Disallowed"),
    (436, "Bad Identity Info"),
    (437, "Unsupported Credential"),
    (438, "Invalid Identity Header"),
    (480, "Temporarily Unavailable"),
    (481, "Call/Transaction Does Not Exist"),
    (482, "Loop Detected"),
    (483, "Too Many Hops"),
    (484, "Address Incomplete"),
    (485, "Ambiguous"),
    (486, "Busy Here"),
    (487, "Request Terminated"),
    (488, "Not Acceptable Here"),
    (491, "Request Pending"),
    (493, "Undecipherable"),
    (500, "Server Internal Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Server Time-out"),
    (505, "Version Not Supported"),
    (513, "Message Too Large"),
    (580, "Precondition Failure"),
    (600, "Busy Everywhere"),
    (603, "Decline"),
    (604, "Does Not Exist Anywhere"),
    (606, "Not Acceptable"),
    (607, "Unwanted"),
    (608, "Rejected"),
];

pub fn markdown_table() -> String {
    let mut table = String::from("| SIP status | end reason | `outcome` | retry |\n|---|---|---|---|\n");
    for (status, phrase) in STATUSES {
        let [quiet, rang] = [false, true].map(|rang| from_sip_status(*status, rang));
        let mut row = |when: &str, reason: offhook_core::EndReason| {
            let (outcome, retry) = (reason.outcome(false), reason.retry(false, false).code());
            writeln!(table, "| {status} {phrase}{when} | `{reason}` | `{outcome}` | `{retry}` |").unwrap();
        };
        if quiet == rang {
            row("", quiet);
        } else {
            row(", after ringing", rang);
            row(", without ringing", quiet);
        }
    }
    table
}
