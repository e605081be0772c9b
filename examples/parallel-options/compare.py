#!/usr/bin/env python3
"""Ask several places the same at the same time, and compare. Python's standard library only.

    python3 compare.py "Ask when the next appointment is free and what it costs." +14155550100 +14155550107 +14155550101

One campaign of offhook: it places the calls, tells the voice that this is an enquiry only, keeps what each place said,
and puts it side by side. `--first` ends the other calls as soon as one has what was asked for.

Exit code: 0 somebody picked up, 1 nobody did, 2 wrong usage, a refusal, or offhook can't be reached.
"""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("OFFHOOK_URL", "http://127.0.0.1:7465").rstrip("/")
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "3"))
CONFIG = pathlib.Path(os.environ.get("XDG_CONFIG_HOME") or pathlib.Path.home() / ".config")
# Where agents of this contract keep their key.
STATE = CONFIG / "clawcall" / "key.json"

# What to find out; a flat JSON Schema, so that the answers can be compared.
FIELDS = {
    "type": "object",
    "properties": {
        "price": {"type": "string", "description": "What it costs, as they said it."},
        "available": {"type": "string", "description": "When it is available."},
        "held_until": {"type": "string", "description": "Until when they hold it without payment."},
    },
}


class Refused(Exception):
    """An answer that is not a success, with what to tell the user."""


def api_key():
    """The key of the environment, else the one that the first call of this agent was given."""
    for name in ("CLAWCALL_API_KEY", "OFFHOOK_API_KEY"):
        if os.environ.get(name, "").strip():
            return os.environ[name].strip()
    try:
        return json.loads(STATE.read_text())["api_key"]
    except (OSError, ValueError, KeyError):
        return None


def request(method, path, body=None):
    headers = {"Content-Type": "application/json"}
    key = api_key()
    if key:
        headers["X-Api-Key"] = key
    if method == "POST":
        # A repeat after a lost answer is the same campaign, not another one.
        headers["Idempotency-Key"] = str(uuid.uuid4())
    data = json.dumps(body).encode() if body is not None else None
    wanted = urllib.request.Request(URL + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(wanted, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        told = json.load(error)["error"]
        raise Refused(f"{told['code']}: {told['message']}") from None


def compare(task, numbers, first):
    """Start the campaign, and return it once it is done."""
    wish = {
        "task": task,
        "targets": [{"to": number} for number in numbers],
        "result_schema": FIELDS,
        "stop_at_first_fit": first,
    }
    campaign = request("POST", "/campaigns", wish)
    while campaign["state"] != "done":
        time.sleep(POLL_SECONDS)
        campaign = request("GET", f"/campaigns/{campaign['campaign_id']}")
    return campaign


def show(campaign):
    """The comparison, one place a line; columns in which nobody said anything are left out."""
    columns, rows = campaign["comparison"]["columns"], campaign["comparison"]["rows"]
    told = [index for index in range(len(columns)) if any(row[index] is not None for row in rows)]
    for row in rows:
        print(" | ".join("" if row[index] is None else str(row[index]) for index in told))
    print(f"({' | '.join(columns[index] for index in told)})")
    print(f"ended: {campaign['ending']}, {campaign['targets_called']} of {campaign['targets_total']} called")


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--first"]
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    campaign = compare(arguments[0], arguments[1:], "--first" in sys.argv[1:])
    show(campaign)
    return 0 if any(target["outcome"] == "answered" for target in campaign["targets"]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"{URL}: {error}", file=sys.stderr)
        sys.exit(2)
