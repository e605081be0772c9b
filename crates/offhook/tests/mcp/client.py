"""What an agent does with the tools, through the official Python client: calls, waits, answers, hangs up, errs.

Arguments: stdio or http, and a JSON object with url, program, home, key and the numbers to call. Prints `ok` at the end.
"""

import asyncio
import json
import sys

import httpx2
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

CONTRACT = {
    "place_call", "place_call_and_wait", "get_call", "get_call_transcript", "hangup_call", "list_calls",
    "get_recording", "get_balance", "get_account_link_url", "get_calling_guide", "get_call_settings",
    "update_call_settings",
}
TASK = "Ask when they open on Saturday, for Jordan Lee."

transport, given = sys.argv[1], json.loads(sys.argv[2])


async def use(client, tool, **arguments):
    """The JSON a tool gives; it must not be an error."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, (tool, result.content)
    (item,) = result.content
    return json.loads(item.text)


async def refused(client, expected, tool, **arguments):
    """The text of an error, with this in it."""
    result = await client.call_tool(tool, arguments)
    (item,) = result.content
    assert result.is_error and expected in item.text, (tool, expected, item.text)
    return item.text


async def tools_and_pages(client):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert CONTRACT <= tools.keys(), CONTRACT - tools.keys()
    # A key is kept only beside the agent; a gateway is told it with each request.
    for kept in ("set_api_key", "get_user_phone_number", "set_user_phone_number"):
        assert (kept in tools) == (transport == "stdio")
    assert tools["get_call"].annotations.read_only_hint is True
    assert tools["hangup_call"].annotations.idempotent_hint is True
    assert "task" in tools["place_call"].input_schema["required"]
    pages = {str(page.uri) for page in (await client.list_resources()).resources}
    assert "clawcall://guide/outbound" in pages, pages
    read = await client.read_resource("clawcall://guide/briefing")
    assert read.contents[0].text.startswith("# "), read
    guide = await client.call_tool("get_calling_guide", {"topic": "errors"})
    assert "number_pool_exhausted" in guide.content[0].text


async def a_call_that_is_waited_for(client):
    told = []

    async def progress(done, total, message):
        told.append((done, total, message))

    arguments = {"to": given["hangs_up"], "task": TASK, "max_wait_seconds": 120}
    result = await client.call_tool("place_call_and_wait", arguments, progress_callback=progress)
    assert not result.is_error, result.content
    call = json.loads(result.content[0].text)
    assert call["lifecycle"] == "finalized" and call["outcome"] == "answered", call
    assert call["call_id"] == call["id"] and "transcript" not in call and "task" not in call, call
    assert len(call["transcript_tail"]) <= 6 and call["transcript_available"], call
    assert "api_key" not in call, "there was a key"
    assert told and all(call["id"] in message for _, _, message in told), told
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)

    whole = await use(client, "get_call_transcript", call_id=call["id"])
    assert whole["transcript"] and whole["transcript"][0]["role"] in ("assistant", "user"), whole
    assert (await use(client, "get_recording", call_id=call["id"]))["recording_url"].startswith("http")
    listed = (await use(client, "list_calls", limit=50, since="2026-01-01T00:00:00+01:00"))["calls"]
    (this,) = [one for one in listed if one["id"] == call["id"]]
    assert this["turns"] and "transcript" not in this, this
    again = await use(client, "wait_for_call", call_id=call["id"])
    assert again["outcome"] == call["outcome"], again
    gone = await use(client, "hangup_call", call_id=call["id"])
    assert gone["success"] is True, gone


async def a_question(client):
    placed = await use(client, "place_call", to=given["asks"], task=TASK, ask_owner_seconds=120)
    assert placed["status"] == "queued" and "finalized" in placed["workflow"], placed
    call = {"call_id": placed["call_id"]}
    waited = await use(client, "wait_for_call", **call, max_wait_seconds=120)
    assert waited["still_running"] and "date of birth" in waited["pending_question"]["question"], waited
    assert "answer_call" in waited["hint"]
    number = waited["pending_question"]["question_id"]
    answer = "The date of birth is the fifth of May 1980."
    taken = await use(client, "answer_call", **call, answer=answer, question_id=number)
    assert taken["success"] is True, taken
    while answer not in [turn["text"] for turn in (await use(client, "get_call_transcript", **call))["transcript"]]:
        await asyncio.sleep(0.3)
    await use(client, "hangup_call", **call)
    over = await use(client, "wait_for_call", **call)
    assert over.get("lifecycle") == "finalized", over


async def hanging_up(client):
    once = f"once-{transport}"
    placed = await use(client, "place_call", to=given["rings"], task=TASK, idempotency_key=once)
    repeated = await use(client, "place_call", to=given["rings"], task=TASK, idempotency_key=once)
    assert repeated["call_id"] == placed["call_id"], "the same key is the same call"
    waited = await use(client, "wait_for_call", call_id=placed["call_id"], max_wait_seconds=5)
    assert waited["still_running"] and waited["last_lifecycle"] == "dialing", waited
    gone = await use(client, "hangup_call", call_id=placed["call_id"])
    assert gone["success"] and gone["status"] == "failed", gone
    over = await use(client, "wait_for_call", call_id=placed["call_id"])
    assert over["outcome"] == "cancelled", over


async def a_campaign(client):
    """Two at once; the one is busy, the other answers."""
    if transport == "stdio":
        return
    targets = [{"to": given["busy"], "name": "Bay"}, {"to": given["short"], "name": "Hill"}]
    schema = {"type": "object", "properties": {"available": {"type": "boolean"}}}
    started = await use(client, "start_campaign", task=TASK, targets=targets, result_schema=schema)
    campaign = started
    for _ in range(40):
        campaign = await use(client, "get_campaign", campaign_id=started["campaign_id"])
        if campaign["state"] == "done":
            break
        await asyncio.sleep(1)
    assert {target["outcome"] for target in campaign["targets"]} == {"busy", "answered"}, campaign
    assert campaign["comparison"]["rows"], campaign
    listed = (await use(client, "list_campaigns"))["campaigns"]
    assert [one["id"] for one in listed] == [started["campaign_id"]], listed
    note = {"decision_needed": "Monday or Friday", "notes": "Hill is nearer."}
    await use(client, "note_campaign", campaign_id=started["campaign_id"], **note)
    kept = await use(client, "note_campaign", campaign_id=started["campaign_id"], next_action="Call Hill.", notes=None)
    kept = {name: kept[name] for name in ("decision_needed", "next_action", "notes")}
    assert kept == {"decision_needed": "Monday or Friday", "next_action": "Call Hill.", "notes": None}, kept
    assert (await use(client, "stop_campaign", campaign_id=started["campaign_id"]))["success"] is True


async def a_handoff(client):
    """The user is brought in from outside, and steering comes too late afterwards."""
    if transport == "stdio":
        return
    placed = await use(client, "place_call", to=given["listens"], task=TASK, bridge_number=given["user"])
    call = placed["call_id"]
    for _ in range(60):
        tail = (await use(client, "get_call", call_id=call))["transcript_tail"]
        if any(turn["role"] == "assistant" for turn in tail):
            break
        await asyncio.sleep(0.5)
    noted = await use(client, "instruct", call_id=call, text="Ask about parking, too.")
    assert noted["success"] is True, noted
    bridging = await use(client, "bridge_call", call_id=call, warm_greeting=False)
    assert bridging["handoff"] == "dialing", bridging
    for _ in range(60):
        seen = await use(client, "get_call", call_id=call)
        if seen.get("handoff", {}).get("state") in ("joined", "ended"):
            break
        await asyncio.sleep(0.5)
    assert seen["handoff"]["state"] in ("joined", "ended"), seen
    await refused(client, "(conflict)", "say", call_id=call, text="Hello?")
    await use(client, "hangup_call", call_id=call)


async def settings_and_account(client):
    await use(client, "update_call_settings", voice="chris", personality="Sam, patient.")
    settings = await use(client, "update_call_settings", voice="eric")
    assert (settings["voice"], settings["personality"]) == ("eric", "Sam, patient."), settings
    settings = await use(client, "update_call_settings", personality=None)
    assert settings["personality"] is None and settings["voice"] == "eric", settings
    assert (await use(client, "get_balance"))["tier"] in ("free", "paid")
    url = (await use(client, "get_account_link_url"))["url"]
    assert "/sign-up?token=clawcall_sk_" in url, url
    check = await use(client, "check_call", to=given["hangs_up"], task="Ask.")
    assert check["missing"] and "prompt" not in check, check


async def a_call_to_the_user(client):
    """No tool of these takes a number to call, but the one by which the user says theirs."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    takes = tools["make_voice_call"].input_schema["properties"].keys()
    assert takes == {"prompt", "opening_message", "wait", "idempotency_key"}, takes
    await use(client, "phone", forget=True)
    text = await refused(client, "(voice_target_required)", "make_voice_call", prompt=TASK)
    assert "/phone" in text, text
    await refused(client, "(invalid_phone)", "phone", number="+not-a-number")
    assert (await use(client, "phone", number=given["busy"]))["number"] == given["busy"]
    reply = (await use(client, "chat_command", text="/phone"))["reply"]
    assert given["busy"] in reply, reply
    await refused(client, "takes: ", "make_voice_call", prompt=TASK, number=given["hangs_up"])
    placed = await use(client, "make_voice_call", prompt=TASK)
    call = await use(client, "wait_for_call", call_id=placed["call_id"], max_wait_seconds=60)
    assert (call["outcome"], call["to"]) == ("busy", given["busy"]), call
    call = await use(client, "make_voice_call", wait=60)
    assert call["outcome"] == "busy" and call["call_id"] != placed["call_id"], call


async def errors(client):
    await refused(client, "not_found", "get_call", call_id="0199a1e0-0000-7000-8000-000000000000")
    await refused(client, "not_found", "hangup_call", call_id="../me")
    await refused(client, "needs task", "place_call", to=given["hangs_up"])
    text = await refused(client, "(unsupported_destination)", "place_call", to="+442071234567", task=TASK)
    assert "Don't retry" in text, text
    await refused(client, "takes: call_id", "get_call", call_id="1", verbose=True)
    # The key of a first call belongs to no account yet; one that the operator made has no line of its own.
    expected = "exactly as it is: http" if transport == "stdio" else "(inbound_plan_required)"
    await refused(client, expected, "update_call_settings", inbound={"instructions": "x"})
    await refused(client, "conflict", "say", call_id=given["over"], text="Hello?")
    try:
        await client.call_tool("dial", {})
    except MCPError as error:
        assert "no tool dial" in str(error), error
    else:
        raise AssertionError("there is no such tool")


async def a_first_key(client):
    """Beside the agent the key of the first call is kept, and shown to nobody."""
    await refused(client, "number: ", "set_user_phone_number", number="5550163")
    await use(client, "set_user_phone_number", number="+1 (312) 555-0163")
    assert (await use(client, "get_user_phone_number"))["user_phone_number"] == "+13125550163"
    link = await use(client, "get_account_link_url")
    assert "message" in link and "url" not in link, link
    await refused(client, "clawcall_sk_", "set_api_key", api_key="sk-hunter2")
    await refused(client, "(auth_required)", "get_balance")
    placed = await use(client, "place_call", to=given["busy"], task=TASK)
    assert "clawcall_sk_" not in json.dumps(placed), "the key stays here"
    over = await use(client, "wait_for_call", call_id=placed["call_id"])
    assert over["outcome"] == "busy" and over["outcome_detail"]["reason"]["message"], over
    given["over"] = placed["call_id"]


async def a_key_of_somebody_else():
    """Without a key, or with another one, nothing is seen of these calls."""
    async with Client(given["url"] + "/mcp") as client:
        await refused(client, "(auth_required)", "get_call", call_id=given["over"])
    wrong = httpx2.AsyncClient(headers={"X-Api-Key": "clawcall_sk_wrong"})
    async with Client(streamable_http_client(given["url"] + "/mcp", http_client=wrong)) as client:
        await refused(client, "(invalid_api_key)", "get_call", call_id=given["over"])


async def main():
    if transport == "stdio":
        environment = {"HOME": given["home"], "OFFHOOK_URL": given["url"]}
        server = StdioServerParameters(command=given["program"], args=["mcp"], env=environment)
    else:
        # The key as clients like to send it.
        headers = {"Authorization": "Bearer " + given["key"]}
        keyed = httpx2.AsyncClient(headers=headers, timeout=130)
        server = streamable_http_client(given["url"] + "/mcp", http_client=keyed)
    # One handshake of each age of the protocol.
    async with Client(server, mode="legacy" if transport == "stdio" else "auto") as client:
        if transport == "stdio":
            await a_first_key(client)
        await tools_and_pages(client)
        await asyncio.gather(
            a_call_that_is_waited_for(client),
            a_question(client),
            a_call_to_the_user(client),
            hanging_up(client),
            a_campaign(client),
            a_handoff(client),
            settings_and_account(client),
        )
        await errors(client)
    if transport == "http":
        await a_key_of_somebody_else()
    print("ok")


asyncio.run(main())
