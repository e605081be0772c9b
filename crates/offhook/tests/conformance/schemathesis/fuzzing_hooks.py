"""What a schema can't say about a well-formed request: which numbers answer, and what goes with what.

Only requests that are meant to be in order are touched; what is meant to be wrong stays as it is.
"""

import os

import schemathesis

# Test numbers that are soon done: busy, not in service, hangs up.
NUMBERS = ["+14155550101", "+14155550104", "+14155550109"]


def call(body):
    """Numbers that lead somewhere, no call that follows up another or waits, nothing that leaves this machine."""
    body["to"] = NUMBERS[len(str(body.get("task"))) % len(NUMBERS)]
    for name in ("from", "bridge_number", "webhook_url", "follow_up_to", "supplied", "not_before", "not_after", "agents"):
        if body.get(name) is not None:
            body[name] = None
    if body.get("result_schema") is not None:
        body["result_schema"] = {"type": "object", "properties": {"price": {"type": "number"}}}
    if isinstance(body.get("may_commit"), str) and not body["may_commit"].strip():
        body["may_commit"] = None
    voicemail = body.get("voicemail")
    if isinstance(voicemail, dict) and not (voicemail.get("message") or "").strip():
        voicemail["message"] = "Please call back."


def campaign(body):
    call(body)
    del body["to"]
    body["targets"] = [{"to": number} for number in NUMBERS]
    if body.get("parallel") is not None:
        body["parallel"] = min(body["parallel"], 4)
    for name in ("fit", "compare", "may_commit", "stop_at_first_fit"):
        body.pop(name, None)


def bridge(body):
    """To a phone that nobody picks up: the call goes on."""
    body["bridge_number"] = "+14155550191"


def schedule(body):
    """Never due while this runs; what else there may be is for our own tests."""
    enabled = body.get("enabled")
    body.clear()
    body.update(at=os.environ["FUZZER_LATER"], call={"to": "+14155550101", "task": "Ask when they open."})
    if isinstance(enabled, bool):
        body["enabled"] = enabled


def proactive(body):
    body.pop("quiet_hours", None)
    body["timezone"] = "Europe/Berlin"


def approval(body):
    """Asked of a phone that is soon done, where one is set."""
    body.clear()
    body["operation"] = "Pay Acme"


def pin(body):
    body.update(pin="4711", current_pin="4711")


def user(body):
    """A number that is soon done, and nothing that is waited for or leaves this machine."""
    for name in ("number", "target_number"):
        if body.get(name) is not None:
            body[name] = NUMBERS[0]
    for name in ("wait", "webhook_url"):
        body.pop(name, None)


BODIES = {"make_voice_call": user, "polyclaw_voice_call": user, "set_voice_target": user, "request_approval": approval, "set_pin": pin, "clear_pin": pin, "place_call": call, "check_call": call, "start_campaign": campaign, "bridge": bridge,
          "create_schedule": schedule, "change_schedule": schedule, "set_proactive": proactive}


# Whose ids stand in paths: a call that goes on, one that a user may be connected to, one that is over, a campaign that
# is done.
LIVE = ("say", "instruct", "press_digits", "answer_call", "get_call")
OVER = ("follow_call", "await_question", "hangup_call", "get_recording", "list_deliveries")


def path(operation_id, parameters):
    """Something that is there, for every second request; the others find nothing."""
    if len(str(parameters.get("id"))) % 2:
        return
    if operation_id in LIVE:
        parameters["id"] = os.environ["FUZZER_LIVE_CALL"]
    elif operation_id == "bridge":
        parameters["id"] = os.environ["FUZZER_BRIDGED_CALL"]
    elif operation_id in OVER:
        parameters["id"] = os.environ["FUZZER_OVER_CALL"]
    elif operation_id.endswith("_schedule") and operation_id != "remove_schedule":
        parameters["id"] = os.environ["FUZZER_SCHEDULE"]
    elif operation_id.endswith("_approval"):
        parameters["id"] = os.environ["FUZZER_APPROVAL"]
    elif operation_id.endswith("_campaign"):
        parameters["id"] = os.environ["FUZZER_CAMPAIGN"]


@schemathesis.hook
def before_call(context, case, kwargs):
    # The key of the fuzzer itself stays good, or all that comes after it is refused.
    if (case.path_parameters or {}).get("id") == os.environ["FUZZER_KEY_ID"]:
        case.path_parameters["id"] = "none"
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive:
        return
    operation_id = case.operation.definition.raw["operationId"]
    if case.path_parameters:
        path(operation_id, case.path_parameters)
    # This call was placed without a number to connect.
    if operation_id == "bridge" and not isinstance(case.body, dict):
        case.body = {}
    if operation_id in BODIES and isinstance(case.body, dict):
        BODIES[operation_id](case.body)
