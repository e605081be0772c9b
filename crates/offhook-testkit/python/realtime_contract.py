"""Holds the fake Realtime server and offhook itself to the vendor's own client and types.

    realtime_contract.py server HOST:PORT     drive the fake with the official client, check every event it sends
    realtime_contract.py client FILE.jsonl    check events offhook sent, one JSON object a line

An event is right when it validates against the official type and has no field that type does not know.
Exits with 1 and says what is wrong otherwise.
"""

import asyncio
import base64
import json
import math
import struct
import sys

from openai import AsyncOpenAI
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from openai.types.realtime.realtime_session_create_response import RealtimeSessionCreateResponse
from pydantic import BaseModel, TypeAdapter

SERVER_EVENT = TypeAdapter(RealtimeServerEvent)
CLIENT_EVENT = TypeAdapter(RealtimeClientEvent)
SESSION = TypeAdapter(RealtimeSessionCreateResponse)

# What the service adds to a session; the event's own type is that of a request.
ANSWERED_SESSION = ("id", "object", "expires_at")


def unknown_fields(value, path="$"):
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name}"
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from unknown_fields(item, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from unknown_fields(item, f"{path}[{index}]")


def check(adapter, event):
    unknown = list(unknown_fields(adapter.validate_python(event)))
    if unknown:
        raise AssertionError(f"unknown fields {unknown} in {json.dumps(event)[:500]}")


def check_server_event(event):
    if event["type"] in ("session.created", "session.updated"):
        check(SESSION, event["session"])
        session = {name: value for name, value in event["session"].items() if name not in ANSWERED_SESSION}
        event = {**event, "session": session}
    check(SERVER_EVENT, event)


def tone(duration_ms, amplitude=9000):
    samples = duration_ms * 24
    return b"".join(
        struct.pack("<h", int(amplitude * math.sin(index * math.tau * 300 / 24000))) for index in range(samples)
    )


class Conversation:
    """The official client's connection, with every raw event checked before it is looked at."""

    def __init__(self, connection):
        self.connection = connection
        self.kinds = []

    async def until(self, kind):
        while True:
            raw = await asyncio.wait_for(self.connection.recv_bytes(), timeout=10)
            event = json.loads(raw)
            check_server_event(event)
            self.kinds.append(event["type"])
            if event["type"] == kind:
                # The client's own reading of it has to work too.
                return self.connection.parse_event(raw)

    async def hear(self, audio):
        for start in range(0, len(audio), 4800):
            chunk = base64.b64encode(audio[start : start + 4800]).decode()
            await self.connection.input_audio_buffer.append(audio=chunk)


async def drive(address):
    client = AsyncOpenAI(api_key="test", base_url=f"http://{address}/v1")
    async with client.realtime.connect(model="gpt-realtime-2.1") as connection:
        conversation = Conversation(connection)
        created = await conversation.until("session.created")
        assert created.session.model == "gpt-realtime-2.1"
        await configure(conversation)
        await tool_call(conversation)
        await barge_in(conversation)
        await errors(conversation)
    missing = EXPECTED - set(conversation.kinds)
    assert not missing, f"the fake never sent {sorted(missing)}"
    print(f"{len(conversation.kinds)} server events of {len(set(conversation.kinds))} types are right")


EXPECTED = {
    "session.created", "session.updated", "error", "rate_limits.updated",
    "conversation.item.added", "conversation.item.done", "conversation.item.truncated",
    "conversation.item.deleted", "conversation.item.retrieved",
    "conversation.item.input_audio_transcription.delta", "conversation.item.input_audio_transcription.completed",
    "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "response.created", "response.done", "response.output_item.added", "response.output_item.done",
    "response.content_part.added", "response.content_part.done",
    "response.output_audio.delta", "response.output_audio.done",
    "response.output_audio_transcript.delta", "response.output_audio_transcript.done",
    "response.function_call_arguments.delta", "response.function_call_arguments.done",
}


async def configure(conversation):
    pcm = {"type": "audio/pcm", "rate": 24000}
    tool = {"type": "function", "name": "send_digits", "parameters": {"type": "object", "properties": {}}}
    await conversation.connection.session.update(
        session={
            "type": "realtime",
            "instructions": "Be brief.",
            "audio": {
                "input": {"format": pcm, "transcription": {"model": "gpt-transcribe"}},
                "output": {"format": pcm, "voice": "marin"},
            },
            "tools": [tool],
        }
    )
    updated = await conversation.until("session.updated")
    assert updated.session.audio.output.voice == "marin"


async def tool_call(conversation):
    await conversation.hear(tone(400) + bytes(48 * 700))
    await conversation.until("input_audio_buffer.speech_started")
    await conversation.until("input_audio_buffer.speech_stopped")
    await conversation.until("conversation.item.input_audio_transcription.completed")
    delta = await conversation.until("response.output_audio.delta")
    assert len(base64.b64decode(delta.delta)) == 4800
    call = await conversation.until("response.function_call_arguments.done")
    assert json.loads(call.arguments) == {"digits": "1"}
    done = await conversation.until("response.done")
    assert done.response.status == "completed" and len(done.response.output) == 2
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sent"}
    await conversation.connection.conversation.item.create(item=output)
    await conversation.connection.response.create()
    await conversation.until("response.done")


async def barge_in(conversation):
    await conversation.connection.response.create()
    spoken = await conversation.until("response.output_audio.delta")
    await conversation.hear(tone(300))
    await conversation.until("input_audio_buffer.speech_started")
    done = await conversation.until("response.done")
    assert done.response.status == "cancelled" and done.response.status_details.reason == "turn_detected"
    await conversation.connection.conversation.item.truncate(
        item_id=spoken.item_id, content_index=0, audio_end_ms=60
    )
    truncated = await conversation.until("conversation.item.truncated")
    assert truncated.audio_end_ms == 60
    await conversation.connection.conversation.item.retrieve(item_id=spoken.item_id)
    await conversation.until("conversation.item.retrieved")
    await conversation.connection.conversation.item.delete(item_id=spoken.item_id)
    await conversation.until("conversation.item.deleted")
    await conversation.connection.input_audio_buffer.clear()
    await conversation.until("input_audio_buffer.cleared")


async def errors(conversation):
    async def error(code):
        event = await conversation.until("error")
        assert event.error.code == code, event

    connection = conversation.connection
    await connection.response.cancel()
    await error("response_cancel_not_active")
    await connection.input_audio_buffer.commit()
    await error("input_audio_buffer_commit_empty")
    await connection.conversation.item.truncate(item_id="item_nowhere", content_index=0, audio_end_ms=0)
    await error("item_not_found")
    await connection.send({"type": "session.update", "session": {"voice": "marin"}})
    await error("missing_required_parameter")
    await connection.send({"type": "session.update", "session": {"type": "realtime", "voice": "marin"}})
    await error("unknown_parameter")
    await connection.response.create()
    await connection.response.create()
    await error("conversation_already_has_active_response")
    await conversation.until("response.done")


def check_file(path):
    kinds = set()
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            event = json.loads(line)
            try:
                check(CLIENT_EVENT, event)
            except Exception as error:
                raise AssertionError(f"line {number}, {event.get('type')}: {error}") from error
            kinds.add(event["type"])
    print(f"{number} client events of {len(kinds)} types are right: {', '.join(sorted(kinds))}")


def main():
    match sys.argv[1:]:
        case ["server", address]:
            asyncio.run(drive(address))
        case ["client", path]:
            check_file(path)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
