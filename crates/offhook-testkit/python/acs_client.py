"""Drives the fake Communication Services with the vendor's own client.

    acs_client.py ENDPOINT ACCESS_KEY BASE_URL     incoming call contexts on standard input, one a line: to answer, to
                                                   reject, to redirect

Prints one line for each operation that did what the client expects of the service. Exits with 1 otherwise.
"""

import sys

from azure.communication.callautomation import (
    AudioFormat,
    CallAutomationClient,
    CallRejectReason,
    DtmfTone,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    PhoneNumberIdentifier,
    StreamingTransportType,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

CALLEE, OURS, USER = (PhoneNumberIdentifier(number) for number in ("+12025550171", "+12025550134", "+12025550188"))


def media(base):
    return MediaStreamingOptions(
        transport_url=base.replace("https", "wss") + "/media",
        transport_type=StreamingTransportType.WEBSOCKET,
        content_type=MediaStreamingContentType.AUDIO,
        audio_channel_type=MediaStreamingAudioChannelType.MIXED,
        start_media_streaming=True,
        enable_bidirectional=True,
        audio_format=AudioFormat.PCM24_K_MONO,
        enable_dtmf_tones=True,
    )


def expect(what, is_so):
    if not is_so:
        raise AssertionError(what)


def until_connected(call):
    for _ in range(5_000):
        if call.get_call_properties().call_connection_state == "connected":
            return
    raise AssertionError("the call is never connected")


def refused(error, status, operate):
    try:
        operate()
    except error as refusal:
        expect(f"{refusal.status_code} is {status}", refusal.status_code == status)
        return refusal
    raise AssertionError(f"nothing refused it with {status}")


def outbound(client, base):
    created = client.create_call(
        CALLEE, base + "/callback", source_caller_id_number=OURS, operation_context="a call", media_streaming=media(base)
    )
    expect("ids", created.call_connection_id and created.server_call_id and created.correlation_id)
    expect("a state", created.call_connection_state == "connecting")
    expect("the callee", created.targets[0].properties["value"] == CALLEE.properties["value"])
    expect("our number", created.source_caller_id_number.properties["value"] == OURS.properties["value"])
    print("create")
    call = client.get_call_connection(created.call_connection_id)
    until_connected(call)
    print("get")
    participants = [one.identifier.properties["value"] for one in call.list_participants()]
    expect(participants, participants == [CALLEE.properties["value"]])
    expect("a participant", not call.get_participant(CALLEE).is_muted)
    print("participants")
    expect("an echo", call.send_dtmf_tones([DtmfTone.TWO, DtmfTone.POUND], CALLEE, operation_context="keys").operation_context == "keys")
    print("send digits")
    call.stop_media_streaming()
    print("stop media")
    call.start_media_streaming()
    print("start media")
    added = call.add_participant(USER, source_caller_id_number=OURS, invitation_timeout=30)
    expect("the invited", added.participant.identifier.properties["value"] == USER.properties["value"] and added.invitation_id)
    print("add participant")
    call.hang_up(is_for_everyone=True)
    print("terminate")
    error = refused(ResourceNotFoundError, 404, call.get_call_properties).error
    expect(error, (error.code, error.message) == ("8522", "Call not found."))
    print("no such call")


def short(client, base, end):
    created = client.create_call(CALLEE, base + "/callback", source_caller_id_number=OURS)
    call = client.get_call_connection(created.call_connection_id)
    until_connected(call)
    end(call)
    refused(ResourceNotFoundError, 404, call.get_call_properties)


def inbound(client, base, contexts):
    answer, reject, redirect = contexts
    answered = client.answer_call(answer, base + "/callback", media_streaming=media(base), operation_context="in")
    expect("our number was called", answered.answered_for.properties["value"] == OURS.properties["value"])
    print("answer")
    client.get_call_connection(answered.call_connection_id).hang_up(is_for_everyone=False)
    client.reject_call(reject, call_reject_reason=CallRejectReason.BUSY)
    print("reject")
    client.redirect_call(redirect, USER)
    print("redirect")
    refused(HttpResponseError, 404, lambda: client.answer_call(reject, base + "/callback"))


def main():
    endpoint, key, base = sys.argv[1:]
    client = CallAutomationClient(endpoint, AzureKeyCredential(key))
    outbound(client, base)
    short(client, base, lambda call: call.hang_up(is_for_everyone=False))
    print("hang up")
    short(client, base, lambda call: call.transfer_call_to_participant(USER) and until_gone(call))
    print("transfer")
    inbound(client, base, sys.stdin.read().split())
    stranger = CallAutomationClient(endpoint, AzureKeyCredential("c3RyYW5nZXI="))
    refused(HttpResponseError, 401, lambda: stranger.create_call(CALLEE, base, source_caller_id_number=OURS))
    refused(HttpResponseError, 400, lambda: client.create_call(CALLEE, "http://plain", source_caller_id_number=OURS))
    print("refusals")


def until_gone(call):
    for _ in range(5_000):
        try:
            call.get_call_properties()
        except ResourceNotFoundError:
            return
    raise AssertionError("the call is never over")


if __name__ == "__main__":
    main()
