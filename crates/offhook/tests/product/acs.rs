//! Calls over Azure Communication Services, end to end: the service, offhook and a speech model, each over its own
//! sockets.
//!
//! What a bridge between the two must do better than one that only copies frames, and the test that shows it:
//!
//! | # | what must hold | test |
//! |---|---|---|
//! | 1 | a call leaves a durable record; a killed process redials nothing | `acs::restart::a_call_of_a_killed_process_is_ended_and_never_placed_again` |
//! | 2 | each call has its own instructions; a call nobody answers leaves nothing behind | `acs::calls::calls_that_overlap_keep_their_own_instructions`, `…::a_call_nobody_answers_leaves_nothing_behind` |
//! | 3 | the outcome and what was said come back to whoever asked | `acs::calls::every_end_has_its_own_reason`, `acs::calls::a_conversation_comes_back_as_its_result` |
//! | 4 | events drive the call: a failure is final within a second | `acs::calls::a_failure_is_final_within_a_second` |
//! | 5 | hanging up, ending for everyone, and each limit have a reason of their own | `acs::calls::every_end_has_its_own_reason`, `acs::calls::each_limit_ends_a_call_for_its_own_reason` |
//! | 6 | the model's connection is closed within a second of the end | `acs::calls::hanging_up_on_either_side_closes_the_model` |
//! | 7 | a model that is gone is reopened, or the call ends with an apology | `acs::model::a_model_lost_once_is_reopened`, `…::a_model_lost_for_good_ends_the_call_with_an_apology` |
//! | 8 | a peer that stalls is noticed on both sides | `acs::media::media_that_stalls_is_noticed`; towards the model: `offhook-speech`'s tests of its connection |
//! | 9 | an error of the model is in the record | `acs::model::an_error_of_the_model_is_written_down` |
//! | 10 | frames that are no JSON harm nothing | `acs::media::nonsense_on_the_socket_harms_no_call`, and the fuzz targets |
//! | 11 | what one call waits for never ends in another | `acs::model::a_tool_of_one_call_is_answered_in_that_call` |
//! | 12 | every event of a batch is handled | `acs::inbound::two_calls_in_one_delivery_are_both_answered` |
//! | 13 | wrong credentials leave everything else running, with a reason to read | `acs::faults::a_wrong_key_fails_the_call_and_nothing_else` |
//! | 14 | a tool that takes long delays no barge-in | `acs::timing::a_slow_tool_delays_no_barge_in` |
//! | 15–18 | agents behind the voice | `delegation` |
//! | 19 | the model is ready before anybody is called | `acs::model::the_model_is_ready_before_anybody_is_called` |
//! | 20 | listens first; voicemail, menus, hold | `realtime`, `menus`, `hold`, `numbers`: the same above every carrier |
//! | 21 | what the model believes to have said is what was heard | `acs::timing::a_barge_in_stops_the_audio_and_truncates_at_what_was_heard` |
//! | 22 | keys in both directions | `acs::media::keys_go_both_ways_through_a_menu` |
//! | 23 | both sides are transcribed, with times | `acs::calls::a_conversation_comes_back_as_its_result` |
//! | 24 | voice and language belong to the call | `acs::calls::calls_that_overlap_keep_their_own_instructions` |
//! | 25 | both dialects of the Realtime protocol | `acs::model::either_dialect_of_the_model_is_heard` |
//! | 26 | a stream at 16 kHz is resampled | `acs::media::a_stream_at_16_khz_is_resampled_both_ways` |
//! | 27 | a steady 20 ms, little ahead, sample for sample | `acs::media::sound_passes_sample_for_sample_both_ways`, `acs::timing::speech_is_paced_by_our_own_clock`; what it costs: `bench/README.md` |
//! | 28 | calls above the cap are refused by name | `acs::faults::one_call_above_the_cap_is_refused`; bounded queues under load: `bench/README.md` |
//! | 29 | a slow service delays no frame | `acs::timing::a_slow_service_delays_no_frame` |
//!
//! Beyond those: a request that may have arrived is repeated under its own name and done once, events in any order and
//! before the reply (`acs::faults`); a media connection that breaks is taken up again (`acs::media`); a user who is
//! connected hears the person sample for sample, and the model hears neither (`acs::handoff`). What strangers can do, and
//! what bad tokens are worth: `acs_security`.

mod calls;
mod faults;
mod handoff;
mod inbound;
mod media;
mod model;
mod restart;
pub mod rig;
mod timing;
