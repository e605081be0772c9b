//! A sentence for each fact of the journal.

pub const MEANING: &[(&str, &str)] = &[
    ("call.queued", "The call was accepted and is on disk. `policy`: the rules that were asked."),
    (
        "call.dialing",
        "A dial request goes to the carrier: one in a call, and one more after `call.dial_retried`. `line`: the number we call from.",
    ),
    (
        "call.dial_retried",
        "The dial request certainly never left this machine; it is made once more. `reason`: what it failed with.",
    ),
    ("call.scheduled", "The call waits for its time. `not_before_ms`: since 1970."),
    (
        "call.ringing",
        "The far end rings (SIP 180, or 183 with audio). `early_media`: there is audio already, a ringing tone or an announcement.",
    ),
    (
        "call.answered",
        "Somebody or something picked up. `sip_call_id`: the Call-ID at the trunk, for its support.",
    ),
    (
        "leg.media_up",
        "Audio flows, which is not the same as answered. `codec`: `pcmu` or `pcma`; `encrypted`: SRTP or plain RTP.",
    ),
    (
        "leg.ticket",
        "What it takes to hang the leg up was written down, in case offhook is killed. Only for offhook itself: the event stream shows that, and not what.",
    ),
    (
        "leg.released",
        "Only after offhook was killed in mid-call: the new process hung the far leg up. `how`: `gone` (confirmed, or it knew nothing of the call any more), `unreachable` (no confirmation came), `unknown` (nothing can be told); `detail`: what was seen.",
    ),
    ("leg.held", "The far end put us on hold in SIP (RFC 3264 §8.4)."),
    ("leg.resumed", "It took us off hold."),
    ("leg.digit_received", "The remote pressed a key."),
    ("leg.digits_sent", "Keys of the voice went out as telephone-event (RFC 4733)."),
    (
        "leg.media_stats",
        "What came of the audio, in frames of 20 ms, once at the end. `lost_frames` never arrived or came too late, `concealed_frames` were made up for them, `late_frames` came after their time, `dropped_frames` were thrown away because a queue was full. `jitter_ms` as in RFC 3550 §6.4.1; `round_trip_ms` from RTCP, null without reports.",
    ),
    ("speech.ready", "The speech model is open; only now is the number dialled. `model`: which one."),
    (
        "speech.reopening",
        "The connection to the model broke and is made again, once, with the conversation so far. `why`: what was seen.",
    ),
    ("speech.reopened", "It is open again."),
    (
        "turn.voice",
        "A turn of the voice, as far as the remote really heard it. `turn` counts both sides; `started_ms`, `ended_ms` from the moment of the answer; `interrupted`: the rest was not heard.",
    ),
    ("turn.remote", "A turn of the remote. `confidence` in per mille, null when the recognizer gives none."),
    (
        "turn.not_understood",
        "The remote spoke, and the recognizer could not tell what. Nothing is made up for it.",
    ),
    (
        "turn.barge_in",
        "The remote spoke over the voice, which stopped. `heard_ms`: how much of the turn was heard.",
    ),
    (
        "tool.called",
        "The model used a tool: `end_call`, `send_digits`, `report_voicemail`, `wait_on_hold`, `ask_owner`, `invoke_agent` and others.",
    ),
    ("tool.answered", "What the tool answered the model."),
    (
        "owner.asked",
        "The voice asks its owner for what it needs to know; `POST /call/{id}/answer` answers. `question_id` counts the questions of the call; `answer_within_ms`: how long it waits.",
    ),
    ("owner.answered", "The owner answered in time; the voice was told."),
    (
        "owner.silent",
        "Nobody answered in time, or before the call came to its end. The voice goes on without, and the result names what was missing.",
    ),
    (
        "owner.said",
        "The owner asked the voice to say this next (`POST /call/{id}/say`). What was really said of it is the next turn of the voice.",
    ),
    ("owner.instructed", "The owner gave the voice a note to follow (`POST /call/{id}/instruct`)."),
    (
        "owner.pressed",
        "The owner asked for these keys (`POST /call/{id}/digits`); `leg.digits_sent` says when they were pressed.",
    ),
    (
        "turn.private",
        "The user said something in private, asked whether to be connected. It counts as a turn, and what was said is not kept.",
    ),
    (
        "turn.masked",
        "A one-time code or a card number in this turn was masked, in the recording from `from_ms` to `to_ms` too. `kind`: `code` or `card`.",
    ),
    (
        "hold.started",
        "The call waits on hold: the voice says nothing until a person is there. `by`: whether the `voice` said so or the `sound`.",
    ),
    (
        "hold.announcement",
        "The same announcement was heard again, `repeated` times by now: nobody came back.",
    ),
    ("hold.ended", "A person is there again, or the wait was given up. `waited_ms`: how long it took."),
    (
        "menu.stuck",
        "The same keys brought the same words of a menu, `tries` times: it leads nowhere. `digits`: the keys.",
    ),
    (
        "handoff.asked",
        "The user is wanted on the line. `by`: the `voice`, the `owner`, or the account's list of callers who are put through (`passthrough`); `warm`: is told in private first who is there.",
    ),
    ("handoff.dialing", "A dial request goes to the user. `line`: the number we call from."),
    ("handoff.ringing", "The user's phone rings."),
    ("handoff.answered", "The user, or the user's machine, picked up."),
    ("handoff.introduced", "The user was told who is there, and asked whether to join."),
    ("handoff.ticket", "As `leg.ticket`, for the user's leg."),
    (
        "handoff.joined",
        "The user and the remote talk to each other. From here on nothing is recorded or transcribed, and the voice is gone.",
    ),
    (
        "handoff.crossed",
        "How long after the user's answer the first sound of each reached the other, in milliseconds.",
    ),
    (
        "handoff.failed",
        "The user was not connected, and the voice goes on. `why_not`: `no_answer`, `busy`, `declined`, `unreachable`, `failed`, `user_declined`, `remote_left` or `cancelled`.",
    ),
    (
        "handoff.ended",
        "One of the two hung up, which ends the call. `by`: `remote`, `user` or `gateway`; `joined_ms`: how long they had been joined.",
    ),
    (
        "agent.asked",
        "An [agent](agents.md) is given work. `task_id` counts them in a call; `agent`: which; `waits`: the voice waits for the answer (`invoke_agent`), or the conversation goes on (`invoke_agent_async`).",
    ),
    ("agent.answered", "It is done; the voice was told."),
    (
        "agent.failed",
        "Nothing came of it, and the voice was told so. `failure`: `timed_out`, `unreachable`, `failed`, `empty`, `unknown` or `busy`.",
    ),
    ("agent.cancelled", "The call ended, or the user joined, before it was done; the work was stopped."),
    (
        "approval.asked",
        "What is to be [approved](../approvals.md) was read out to its end, and how to answer. `operation`: what it is.",
    ),
    (
        "approval.decided",
        "The verdict, one for each request. `by`: `keys`, `voice`, `wrong_pin`, `timed_out` or `call_ended`; only `approved: true` is a yes.",
    ),
    (
        "caller.verified",
        "Whoever calls gave the PIN; `by`: `keys` or `voice`. The digits are written down nowhere.",
    ),
    ("caller.unverified", "The PIN was not given; `attempts`: how often a wrong one was. The call ends."),
    (
        "message.taken",
        "A caller of one of our [lines](inbound.md) left word. `name` and `call_back` where they were told.",
    ),
    (
        "call.answered_by",
        "What answered, as far as it is known: `human`, `voicemail`, `ivr`, `screening`, `unknown`.",
    ),
    (
        "result.item",
        "A part of the result, with the `turns` that show it: `kind` is `commitment`, `asked_to_commit` or `breach`, found as it is said (`name`: the act, `value`: the words), or, with the result, `field` (of `result_schema`; `value` is JSON), `blocker` (`name` says which) or `next_step`.",
    ),
    (
        "call.result",
        "How the task went, in the voice's own judgement: `status` is `achieved`, `partly`, `blocked`, `failed` or `unclear`; `evidence_turns`: the turns that show it.",
    ),
    (
        "call.problem",
        "Something went wrong that did not end the call. `part`: `leg`, `speech`, `recording` or `gateway`.",
    ),
    ("recording.started", "From here on both sides are recorded."),
    ("recording.stopped", "The recording is complete. `duration_ms`: how long it is."),
    (
        "call.ended",
        "The last fact, exactly one. `reason`: one of the [end reasons](end-reasons.md); `answered`: whether somebody had picked up; `talk_ms` since then; `sip_status`, `q850_cause`: what the network gave as its reason.",
    ),
];
