#!/usr/bin/env python3
"""Ask several places the same at the same time, and compare. Python's standard library only.

    python3 compare.py "Ask when the next appointment is free and what it costs." +14155550100 +14155550107 +14155550101

For information only: with a task that books or buys, three calls could book three times.

Exit code: 0 somebody picked up, 1 nobody did, 2 wrong usage or offhook can't be reached.
"""

import concurrent.futures
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("OFFHOOK_URL", "http://127.0.0.1:7465").rstrip("/")
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "3"))
MOST = 4  # Calls at the same time.

BOUNDARY = (
    "This is an enquiry. Book, buy, cancel and agree to nothing. "
    "Ask about price, availability and conditions, and whether it can be held without payment and for how long."
)


def request(method, path, key, body=None, headers=None):
    headers = {"Content-Type": "application/json", **(headers or {})}
    if key:
        headers["X-Api-Key"] = key
    data = json.dumps(body).encode() if body is not None else None
    wanted = urllib.request.Request(URL + path, data=data, headers=headers, method=method)
    with urllib.request.urlopen(wanted, timeout=30) as answer:
        return json.load(answer)


def place(to, task, key):
    """The call's id and the key it belongs to, or why it was refused."""
    wish = {"to": to, "task": f"{task} {BOUNDARY}"}
    try:
        placed = request("POST", "/call", key, wish, {"Idempotency-Key": str(uuid.uuid4())})
        return placed["call_id"], placed.get("api_key", key), None
    except urllib.error.HTTPError as error:
        return None, key, json.load(error)["error"]["message"]


def wait(call_id, key):
    while True:
        call = request("GET", f"/call/{call_id}", key)
        if call["lifecycle"] == "finalized":
            return call
        time.sleep(POLL_SECONDS)


def learned(to, call_id, refusal, key):
    """One line of the comparison."""
    if refusal:
        return to, "refused", "", refusal
    call = wait(call_id, key)
    result = call.get("result") or {"status": "", "summary": call["outcome_detail"]["reason"]["message"]}
    return to, call["outcome"], result["status"], result["summary"]


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    task, numbers = sys.argv[1], sys.argv[2:]
    if len(numbers) > MOST:
        print(f"at most {MOST} at the same time", file=sys.stderr)
        return 2
    # One after the other, as the first one may mint the key of the others; they ring at the same time all the same.
    key, placed = os.environ.get("CLAWCALL_API_KEY", "").strip() or None, []
    for to in numbers:
        call_id, key, refusal = place(to, task, key)
        placed.append((to, call_id, refusal))
    with concurrent.futures.ThreadPoolExecutor(MOST) as pool:
        waiting = [pool.submit(learned, *call, key) for call in placed]
        rows = [each.result() for each in waiting]
    for to, outcome, status, summary in rows:
        print(f"{to:<14} {outcome:<14} {status:<8} {summary}")
    return 0 if any(outcome == "answered" for _, outcome, _, _ in rows) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        print(f"{URL}: {error}", file=sys.stderr)
        sys.exit(2)
