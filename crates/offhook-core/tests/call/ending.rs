//! How calls end: exactly once, for certain, and with their last words.

use expect_test::expect;

use crate::script::check_connected;

#[test]
fn the_voice_ends_the_call_after_its_goodbye_was_heard() {
    check_connected(
        "3000 remote_said yes, at seven\n5000 playing 2\n5001 end_call A table is free at seven.\n5002 voice_text 2 Thank you, goodbye.\n6500 played 2 1500\n6750 closed\n6760 speech_lost closed",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            3000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="yes, at seven" confidence=-
            5001 journal: tool.called tool="end_call" arguments="done"
            5001 journal: call.result status="done" summary="A table is free at seven." evidence_turns=[]
            6500 journal: turn.voice turn=2 started_ms=5000 ended_ms=6500 text="Thank you, goodbye." interrupted=false
            6700 stop playout
            6700 leg: hang up, voice.finished
            6700 speech: close
            6760 journal: call.answered_by answered_by="human"
            6760 journal: call.ended reason="voice.finished" answered=true talk_ms=6700 sip_status=- q850_cause=-
        "#]],
    );
}

/// A model that is faster than speech says all of it, goodbye and wish to end, before the first word is played.
#[test]
fn a_goodbye_that_waits_to_be_played_is_played() {
    check_connected(
        "5000 end_call\n5020 playing 2\n5021 voice_text 2 Thank you, goodbye.\n6500 played 2 1480\n6750 closed\n6760 speech_lost closed",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            5000 journal: tool.called tool="end_call" arguments="done"
            5000 journal: call.result status="unclear" summary="The voice ended the call without a result." evidence_turns=[]
            6500 journal: turn.voice turn=1 started_ms=5020 ended_ms=6500 text="Thank you, goodbye." interrupted=false
            6700 stop playout
            6700 leg: hang up, voice.finished
            6700 speech: close
            6760 journal: call.answered_by answered_by="unknown"
            6760 journal: call.ended reason="voice.finished" answered=true talk_ms=6700 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn a_goodbye_that_never_plays_does_not_keep_the_line_open() {
    check_connected(
        "5000 playing 2\n5001 end_call\n30000 closed\n30010 speech_lost closed",
        expect![[r#"
             1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
             5001 journal: tool.called tool="end_call" arguments="done"
             5001 journal: call.result status="unclear" summary="The voice ended the call without a result." evidence_turns=[]
            25001 stop playout
            25001 leg: hang up, voice.finished
            25001 speech: close
            30010 journal: call.answered_by answered_by="unknown"
            30010 journal: call.ended reason="voice.finished" answered=true talk_ms=25001 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn the_remote_hangs_up_and_the_recognizer_finishes_its_sentence() {
    check_connected(
        "3000 remote_hangs_up\n4200 remote_said bye then\n4201 speech_lost closed\n4300 remote_said too late",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            3000 stop playout
            3000 speech: close
            4200 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="bye then" confidence=-
            4201 journal: call.answered_by answered_by="human"
            4201 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            4201 journal: call.ended reason="remote.hung_up" answered=true talk_ms=3000 sip_status=- q850_cause=16
        "#]],
    );
}

#[test]
fn a_recognizer_that_never_finishes_is_not_waited_for() {
    check_connected(
        "3000 remote_hangs_up\n10000 tick",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            3000 stop playout
            3000 speech: close
            8000 journal: call.answered_by answered_by="unknown"
            8000 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            8000 journal: call.ended reason="remote.hung_up" answered=true talk_ms=3000 sip_status=- q850_cause=16
        "#]],
    );
}

#[test]
fn a_hang_up_the_far_end_never_confirms_still_ends_the_call() {
    check_connected(
        "3000 owner_hangs_up\n3100 speech_lost closed\n60000 tick",
        expect![[r#"
             1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
             3000 stop playout
             3000 leg: hang up, owner.cancelled
             3000 speech: close
            43000 journal: call.answered_by answered_by="unknown"
            43000 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            43000 journal: call.ended reason="owner.cancelled" answered=true talk_ms=3000 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn the_model_is_lost_for_good() {
    check_connected(
        "3000 speech_lost gone twice\n3050 closed",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            3000 journal: call.problem part="speech" code="lost" message="gone twice"
            3050 stop playout
            3050 speech: close
            3050 journal: call.answered_by answered_by="unknown"
            3050 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            3050 journal: call.ended reason="carrier.lost" answered=true talk_ms=3050 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn the_audio_of_the_remote_stops() {
    check_connected(
        "3000 media_lost\n3050 closed\n3060 speech_lost closed",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            3000 stop playout
            3000 leg: hang up, carrier.media_lost
            3000 speech: close
            3060 journal: call.answered_by answered_by="unknown"
            3060 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            3060 journal: call.ended reason="carrier.media_lost" answered=true talk_ms=3000 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn what_was_playing_when_the_remote_hung_up_is_in_the_transcript_as_far_as_it_was_heard() {
    check_connected(
        "2000 playing 1\n2001 voice_text 1 I would like to book a table for two on Friday evening at seven.\n4000 remote_hangs_up\n4001 speech_lost closed",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            4000 stop playout
            4000 speech: close
            4001 journal: call.answered_by answered_by="unknown"
            4001 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            4001 journal: call.ended reason="remote.hung_up" answered=true talk_ms=4000 sip_status=- q850_cause=16
        "#]],
    );
}

#[test]
fn shutting_down_says_so() {
    check_connected(
        "3000 shutdown\n3050 closed\n3060 speech_lost closed",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            3000 stop playout
            3000 leg: hang up, gateway.shutdown
            3000 speech: close
            3060 journal: call.answered_by answered_by="unknown"
            3060 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            3060 journal: call.ended reason="gateway.shutdown" answered=true talk_ms=3000 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn a_result_that_comes_after_the_remote_hung_up_still_counts() {
    check_connected(
        "3000 remote_hangs_up\n4200 remote_said the code please\n4201 end_call They wanted a code.\n4202 speech_lost closed",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            3000 stop playout
            3000 speech: close
            4200 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="the code please" confidence=-
            4201 journal: call.result status="done" summary="They wanted a code." evidence_turns=[]
            4202 journal: call.answered_by answered_by="human"
            4202 journal: call.ended reason="remote.hung_up" answered=true talk_ms=3000 sip_status=- q850_cause=16
        "#]],
    );
}
