"""Verify webhooks with the library of Standard Webhooks: a JSON list of {secret, headers, body} on standard input.

Prints `ok` or `refused` for each, one a line.
"""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

for message in json.load(sys.stdin):
    try:
        verified = Webhook(message["secret"]).verify(message["body"], message["headers"])
        assert verified == json.loads(message["body"])
        print("ok")
    except WebhookVerificationError:
        print("refused")
