#!/usr/bin/env python3
"""An agent that makes a call and reports to its user. Python's standard library only.

    python3 agent.py +14155550100 "Ask for an appointment on Thursday afternoon, for Jordan Lee."

It keeps to the rules of the call contract: the key is saved before anything else, a request whose answer was lost is
repeated with the same Idempotency-Key, a failed call is repeated only when offhook says so and then once, and nobody
who picked up is called again without asking.

Exit code: 0 the task is done, 1 it is not, 2 the call was refused or offhook can't be reached.
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
STATE = pathlib.Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "clawcall" / "key.json"


class Refused(Exception):
    """offhook answered, and not with a success."""

    def __init__(self, status, body, retry_after):
        error = body.get("error", {})
        self.status = status
        self.code = error.get("code", f"http_{status}")
        self.link = error.get("action", {}).get("url")
        self.retry_after = float(retry_after) if (retry_after or "").isdigit() else None
        super().__init__(error.get("message", f"HTTP {status}"))


class Unreachable(Exception):
    """No answer: the request may have arrived or not."""


class PhoneLine:
    """The HTTP API, as the owner of one key."""

    def __init__(self):
        self.from_environment = os.environ.get("CLAWCALL_API_KEY", "").strip()
        self.key = self.from_environment or read_state().get("api_key")

    def request(self, method, path, body=None, headers=None):
        headers = {"Content-Type": "application/json", **(headers or {})}
        if self.key:
            headers["X-Api-Key"] = self.key
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(URL + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                body = json.load(error)
            except ValueError:
                body = {}
            raise Refused(error.code, body, error.headers.get("Retry-After")) from None
        except OSError as error:
            raise Unreachable(f"{URL}: {error}") from None

    def place(self, wish):
        """Place the call: once, however often this has to ask."""
        once = {"Idempotency-Key": str(uuid.uuid4())}
        for attempt in (1, 2):
            try:
                placed = self.request("POST", "/call", wish, once)
                break
            except Unreachable:
                # The call may exist. The same Idempotency-Key finds it instead of placing another one.
                if attempt == 2:
                    raise
                time.sleep(min(POLL_SECONDS, 3))
            except Refused as refused:
                if attempt == 2 or not self.may_try_again(refused):
                    raise
        if placed.get("api_key"):
            self.key = placed["api_key"]
            save_key(self.key)
        return placed["call_id"]

    def may_try_again(self, refused):
        """What is repeated once, without a word to the user."""
        if refused.code == "invalid_api_key" and not self.from_environment and self.key:
            # The saved key is worthless; offhook may give a new one.
            self.key = None
            save_key(None)
            return True
        if refused.code == "number_pool_exhausted":
            time.sleep(refused.retry_after or 15)
            return True
        if refused.status >= 500:
            time.sleep(refused.retry_after or 3)
            return True
        return False

    def wait(self, call_id):
        """Poll until the call is over; Ctrl-C hangs up."""
        lifecycle, silent_since = None, None
        while True:
            try:
                call = self.request("GET", f"/call/{call_id}")
                silent_since = None
            except (Unreachable, Refused) as error:
                if isinstance(error, Refused) and error.status < 500:
                    raise
                # The call goes on without us.
                silent_since = silent_since or time.monotonic()
                if time.monotonic() - silent_since > 120:
                    raise
                call = {}
            if call.get("lifecycle") not in (None, lifecycle):
                lifecycle = call["lifecycle"]
                print(f"… {lifecycle}", flush=True)
            if lifecycle == "finalized":
                return call
            try:
                time.sleep(POLL_SECONDS)
            except KeyboardInterrupt:
                self.request("POST", f"/call/{call_id}/hangup")


def read_state():
    try:
        state = json.loads(STATE.read_text())
        return state if isinstance(state, dict) else {}
    except (OSError, ValueError):
        return {}


def save_key(key):
    """Keep what else is in the file; nobody but the user may read it."""
    state = {name: value for name, value in read_state().items() if name != "api_key"}
    if key:
        state["api_key"] = key
    try:
        STATE.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = STATE.with_name(f"{STATE.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(state, file, indent=2)
        draft.replace(STATE)
    except OSError as error:
        print(f"the key could not be saved: {error}", file=sys.stderr)


def call_and_wait(line, wish):
    """The call, and once more where that is allowed without asking."""
    call = line.wait(line.place(wish))
    if call["outcome_detail"]["reason"]["retryable"]:
        print(f"{call['outcome']}: trying once more", flush=True)
        time.sleep(min(POLL_SECONDS, 3))
        call = line.wait(line.place(wish))
    return call


def report(call):
    result = call.get("result") or {"status": "no result", "summary": "", "evidence_turns": []}
    print(f"\ncalled   {call['numbers']['to']}")
    print(f"outcome  {call['outcome']}: {call['outcome_detail']['reason']['message']}")
    print(f"result   {result['status']}: {result['summary']}")
    if call["talk_seconds"] is not None:
        print(f"talked   {call['talk_seconds']} s, answered by {call.get('answered_by', 'unknown')}")
    if call["recording_url"]:
        print(f"listen   {URL}/call/{call['id']}/recording (with the key; redirects to a link that expires)")
    for turn in call["transcript"] or []:
        if turn["role"] in ("assistant", "user"):
            # An answered call proves nothing: these turns are what the result rests on.
            mark = "*" if turn.get("turn") in result["evidence_turns"] else " "
            who = "voice" if turn["role"] == "assistant" else "remote"
            print(f" {mark} {turn['started_ms'] / 1000:6.1f}  {who:<7} {turn['text']}")
    if call["outcome"] in ("no_answer", "busy", "rejected"):
        print("Ask the user before calling again.")
    if call["outcome"] in ("invalid_number", "unreachable"):
        print("Check the number before calling again.")
    return result["status"] == "achieved"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        call = call_and_wait(PhoneLine(), {"to": sys.argv[1], "task": sys.argv[2]})
    except (Refused, Unreachable) as error:
        print(f"{getattr(error, 'code', 'network_error')}: {error}", file=sys.stderr)
        if getattr(error, "link", None):
            print(f"open {error.link}", file=sys.stderr)
        return 2
    return 0 if report(call) else 1


if __name__ == "__main__":
    sys.exit(main())
