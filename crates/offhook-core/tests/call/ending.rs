//! How calls end: exactly once, for certain, and with their last words.

use expect_test::expect;

use crate::script::check_talking;

#[test]
fn the_voice_ends_the_call_after_its_goodbye_was_heard() {
    check_talking(
        "3000 remote_said yes, at seven\n5000 playing 2\n5001 end_call A table is free at seven.\n5002 voice_text 2 Thank you, goodbye.\n6500 played 2 1500\n6750 closed\n6760 speech_lost closed",
        expect![[r#"
            3000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="yes, at seven" confidence=-
            3000 journal: call.answered_by answered_by="human"
            5001 journal: tool.called tool="end_call" arguments="done"
            5001 journal: call.result status="unclear" summary="A table is free at seven. What was said does not show it." evidence_turns=[]
            6500 journal: turn.voice turn=2 started_ms=5000 ended_ms=6500 text="Thank you, goodbye." interrupted=false
            6700 stop playout
            6700 leg: hang up, voice.finished
            6700 speech: close
            6760 journal: call.ended reason="voice.finished" answered=true talk_ms=6700 sip_status=- q850_cause=-
        "#]],
    );
}

/// A model that is faster than speech says all of it, goodbye and wish to end, before the first word is played.
#[test]
fn a_goodbye_that_waits_to_be_played_is_played() {
    check_talking(
        "5000 end_call\n5020 playing 2\n5021 voice_text 2 Thank you, goodbye.\n6500 played 2 1480\n6750 closed\n6760 speech_lost closed",
        expect![[r#"
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
    check_talking(
        "5000 playing 2\n5001 end_call\n30000 closed\n30010 speech_lost closed",
        expect![[r#"
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
    check_talking(
        "3000 remote_hangs_up\n4200 remote_said bye then\n4201 speech_lost closed\n4300 remote_said too late",
        expect![[r#"
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
    check_talking(
        "3000 remote_hangs_up\n10000 tick",
        expect![[r#"
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
    check_talking(
        "3000 owner_hangs_up\n3100 speech_lost closed\n60000 tick",
        expect![[r#"
             3000 stop playout
             3000 leg: hang up, owner.cancelled
             3000 speech: close
            43000 journal: call.answered_by answered_by="unknown"
            43000 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            43000 journal: call.ended reason="owner.cancelled" answered=true talk_ms=3000 sip_status=- q850_cause=-
        "#]],
    );
}

/// What the model handed over last, its apology, is heard before the line goes.
#[test]
fn a_model_that_is_lost_for_good_apologises_before_the_hang_up() {
    check_talking(
        "3000 voice_text 2 I am sorry, I must hang up.\n3000 speech_lost gone twice\n3010 playing 2\n5500 played 2 2490\n5750 closed",
        expect![[r#"
            3000 journal: call.problem part="speech" code="lost" message="gone twice"
            5500 journal: turn.voice turn=1 started_ms=3010 ended_ms=5500 text="I am sorry, I must hang up." interrupted=false
            5700 stop playout
            5700 leg: hang up, speech.lost
            5700 speech: close
            5750 journal: call.answered_by answered_by="unknown"
            5750 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            5750 journal: call.ended reason="speech.lost" answered=true talk_ms=5700 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn without_an_apology_a_lost_model_hangs_up_at_once() {
    check_talking(
        "3000 speech_lost gone twice\n3250 closed",
        expect![[r#"
            3000 journal: call.problem part="speech" code="lost" message="gone twice"
            3200 stop playout
            3200 leg: hang up, speech.lost
            3200 speech: close
            3250 journal: call.answered_by answered_by="unknown"
            3250 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            3250 journal: call.ended reason="speech.lost" answered=true talk_ms=3200 sip_status=- q850_cause=-
        "#]],
    );
}

/// The rest of a sentence that is still in the pump, then the apology: neither is cut short.
#[test]
fn the_last_sentence_of_a_lost_model_is_played_before_its_apology() {
    check_talking(
        "3000 playing 2\n3500 speech_lost gone twice\n3600 remote_starts\n5000 played 2 2000\n5000 playing 3\n8000 played 3 3000\n8250 closed",
        expect![[r#"
            3500 journal: call.problem part="speech" code="lost" message="gone twice"
            8200 stop playout
            8200 leg: hang up, speech.lost
            8200 speech: close
            8250 journal: call.answered_by answered_by="unknown"
            8250 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            8250 journal: call.ended reason="speech.lost" answered=true talk_ms=8200 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn a_model_that_is_lost_after_its_goodbye_has_finished() {
    check_talking(
        "3000 end_call A table is free.\n3010 playing 2\n3020 speech_lost gone twice\n4000 played 2 990\n4250 closed",
        expect![[r#"
            3000 journal: tool.called tool="end_call" arguments="done"
            3000 journal: call.result status="unclear" summary="A table is free. What was said does not show it." evidence_turns=[]
            3020 journal: call.problem part="speech" code="lost" message="gone twice"
            4200 stop playout
            4200 leg: hang up, voice.finished
            4200 speech: close
            4250 journal: call.answered_by answered_by="unknown"
            4250 journal: call.ended reason="voice.finished" answered=true talk_ms=4200 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn on_hold_nobody_would_hear_an_apology() {
    check_talking(
        "3000 held\n4000 speech_lost gone twice\n4050 closed",
        expect![[r#"
            3000 journal: leg.held
            3000 stop playout
            3000 speech: suspend
            4000 journal: call.problem part="speech" code="lost" message="gone twice"
            4000 stop playout
            4000 leg: hang up, speech.lost
            4000 speech: close
            4050 journal: call.answered_by answered_by="unknown"
            4050 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            4050 journal: call.ended reason="speech.lost" answered=true talk_ms=4000 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn who_hangs_up_during_the_apology_has_hung_up() {
    check_talking(
        "3000 voice_text 2 I am sorry, I must hang up.\n3000 speech_lost gone twice\n3010 playing 2\n4400 remote_hangs_up\n4400 cut_off 2 1390 2490\n5000 tick",
        expect![[r#"
            3000 journal: call.problem part="speech" code="lost" message="gone twice"
            4400 stop playout
            4400 speech: close
            4400 journal: turn.voice turn=1 started_ms=3010 ended_ms=4400 text="I am sorry, I" interrupted=true
            4600 journal: call.answered_by answered_by="unknown"
            4600 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            4600 journal: call.ended reason="remote.hung_up" answered=true talk_ms=4400 sip_status=- q850_cause=16
        "#]],
    );
}

#[test]
fn the_audio_of_the_remote_stops() {
    check_talking(
        "3000 media_lost\n3050 closed\n3060 speech_lost closed",
        expect![[r#"
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
    check_talking(
        "2000 playing 1\n2001 voice_text 1 I would like to book a table for two on Friday evening at seven.\n4000 remote_hangs_up\n4000 cut_off 1 2000 4300\n4001 speech_lost closed",
        expect![[r#"
            4000 stop playout
            4000 speech: close
            4000 journal: turn.voice turn=1 started_ms=2000 ended_ms=4000 text="I would like to book a table" interrupted=true
            4000 journal: result.item kind="breach" name="booking" value="I would like to book a table" turns=[1]
            4001 journal: call.answered_by answered_by="unknown"
            4001 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            4001 journal: call.ended reason="remote.hung_up" answered=true talk_ms=4000 sip_status=- q850_cause=16
        "#]],
    );
}

#[test]
fn shutting_down_says_so() {
    check_talking(
        "3000 shutdown\n3050 closed\n3060 speech_lost closed",
        expect![[r#"
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
    check_talking(
        "3000 remote_hangs_up\n4200 remote_said the code please\n4201 end_call They wanted a code.\n4202 speech_lost closed",
        expect![[r#"
            3000 stop playout
            3000 speech: close
            4200 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="the code please" confidence=-
            4201 journal: call.result status="unclear" summary="They wanted a code. What was said does not show it." evidence_turns=[]
            4202 journal: call.answered_by answered_by="human"
            4202 journal: call.ended reason="remote.hung_up" answered=true talk_ms=3000 sip_status=- q850_cause=16
        "#]],
    );
}

/// No voice counts turns: it quotes, and the quotes are found in the transcript, whose words may differ a little.
#[test]
fn the_evidence_is_the_turns_in_which_it_was_said() {
    check_talking(
        "2000 remote_said Rosa's kitchen, hello
         3000 playing 1
         3001 voice_text 1 Is a table free at seven?
         4000 played 1 1000
         5000 remote_said Yes, at seven we have one left.
         6000 remote_said For how many?
         7000 remote_said yes
         8000 end_call Seven is free. | Yes at seven, we have one | for how many people | yes | Yes",
        expect![[r#"
            2000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Rosa's kitchen, hello" confidence=-
            2000 journal: call.answered_by answered_by="human"
            4000 journal: turn.voice turn=2 started_ms=3000 ended_ms=4000 text="Is a table free at seven?" interrupted=false
            5000 journal: turn.remote turn=3 started_ms=0 ended_ms=500 text="Yes, at seven we have one left." confidence=-
            6000 journal: turn.remote turn=4 started_ms=0 ended_ms=500 text="For how many?" confidence=-
            7000 journal: turn.remote turn=5 started_ms=0 ended_ms=500 text="yes" confidence=-
            8000 journal: tool.called tool="end_call" arguments="done"
            8000 journal: call.result status="achieved" summary="Seven is free." evidence_turns=[3, 4, 5]
        "#]],
    );
}

/// The transcript may lag behind the voice.
#[test]
fn a_result_waits_for_the_turn_that_shows_it() {
    check_talking(
        "5000 end_call Seven is free. | seven is fine\n5100 remote_said Seven is fine.\n5400 closed\n5401 speech_lost closed",
        expect![[r#"
            5000 journal: tool.called tool="end_call" arguments="done"
            5100 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Seven is fine." confidence=-
            5100 journal: call.result status="achieved" summary="Seven is free." evidence_turns=[1]
            5100 journal: call.answered_by answered_by="human"
            5200 stop playout
            5200 leg: hang up, voice.finished
            5200 speech: close
            5401 journal: call.ended reason="voice.finished" answered=true talk_ms=5200 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn words_that_nobody_said_are_no_evidence() {
    check_talking(
        "2000 remote_said We are closed.\n5000 end_call Booked. | your table is booked\n5400 closed\n5401 speech_lost closed",
        expect![[r#"
            2000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="We are closed." confidence=-
            2000 journal: call.answered_by answered_by="human"
            5000 journal: tool.called tool="end_call" arguments="done"
            5200 stop playout
            5200 leg: hang up, voice.finished
            5200 speech: close
            5401 journal: call.result status="unclear" summary="Booked. What was said does not show it." evidence_turns=[]
            5401 journal: call.ended reason="voice.finished" answered=true talk_ms=5200 sip_status=- q850_cause=-
        "#]],
    );
}
