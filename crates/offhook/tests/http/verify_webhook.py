"""Verify webhooks with the library of Standard Webhooks: a JSON list of {secret, headers, body} on standard input.

Prints `ok` or `refused` for each, one a line. What docs/webhooks.md does without the library must agree.
"""

import json
import pathlib
import sys

from standardwebhooks import Webhook, WebhookVerificationError

document = pathlib.Path(__file__).resolve().parents[4] / "docs" / "webhooks.md"
snippets = [block.split("```")[0] for block in document.read_text().split("```python\n")[1:]]
documented = {}
exec(next(snippet for snippet in snippets if "def verify(" in snippet), documented)

for message in json.load(sys.stdin):
    secret, headers, body = message["secret"], message["headers"], message["body"]
    try:
        verified = Webhook(secret).verify(body, headers)
        assert verified == json.loads(body)
        verdict = "ok"
    except WebhookVerificationError:
        verdict = "refused"
    assert documented["verify"](secret, headers, body.encode()) == (verdict == "ok")
    print(verdict)
