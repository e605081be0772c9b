//! The store on both databases: every scenario runs on SQLite and on PostgreSQL.
//!
//! On SQLite each scenario is a test of its own, over its own file. On PostgreSQL they are one test, each in a
//! database of its own, because starting a server is what takes the time.

mod acs;
mod approvals;
mod backend;
mod callers;
mod campaigns;
mod claiming;
mod deleting;
mod linking;
mod owners;
mod postgres_only;
mod racing;
mod schedules;
mod sqlite_only;
mod story;
mod waiting;
mod webhooks;

macro_rules! scenarios {
    ($($module:ident :: $scenario:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    crate::$module::$scenario(&crate::backend::Backend::sqlite()).await;
                }
            )*
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn everything_on_postgres() {
            let cluster = offhook_testkit::postgres::Cluster::start();
            let database = |name| backend::Backend::postgres(cluster.database(name));
            $(
                println!("{}", stringify!($scenario));
                $module::$scenario(&database(stringify!($scenario))).await;
            )*
            postgres_only::a_lost_connection_is_opened_again(&database("lost")).await;
            postgres_only::several_processes_may_open_a_new_database_at_once(&database("new")).await;
            claiming::a_lost_claim_is_taken_again(&database("claim")).await;
            postgres_only::a_deleted_owner_keeps_nobody_from_writing(&database("deleted")).await;
        }
    };
}

scenarios! {
    callers::callers_are_known_by_what_they_did,
    callers::spam_and_wrong_pins_are_counted,
    callers::a_notice_is_open_until_it_is_delivered,
    approvals::an_approval_is_decided_once,
    approvals::the_same_key_is_the_same_approval,
    approvals::a_pin_is_set_changed_and_cleared,
    acs::the_first_audience_counts_until_it_is_forgotten,
    story::a_call_from_request_to_report,
    story::lists_and_counts,
    story::a_batch_is_one_story,
    claiming::one_process_has_the_claim,
    claiming::a_claim_is_given_back,
    story::owners_and_keys,
    owners::what_was_talked_is_counted,
    owners::a_user_who_was_called_counts,
    owners::a_history_is_ordered_by_the_end,
    owners::preferences_are_replaced_and_cleared,
    owners::owners_have_an_address_and_limits,
    owners::what_was_used_stays_used_when_calls_expire,
    owners::an_owner_has_phones_of_which_one_is_primary,
    owners::a_line_is_one_owners,
    owners::inbound_profiles_are_replaced_and_cleared,
    linking::a_linked_key_takes_all_with_it,
    linking::what_is_not_linked_stays_as_it_was,
    linking::a_key_is_rotated_once,
    linking::a_key_is_bound_to_the_target_of_its_owner,
    story::what_a_newer_version_wrote,
    story::odd_texts_come_back_the_same_from_both,
    story::a_newer_schema_is_refused,
    story::the_audit_log_is_append_only,
    racing::one_of_a_hundred_simultaneous_inserts_is_new,
    racing::eight_tasks_write_and_read_at_once,
    racing::appending_twice_is_appending_once,
    racing::a_dropped_write_leaves_nothing_half_done,
    racing::the_row_does_not_depend_on_the_batches,
    deleting::transcripts_expire_before_calls,
    deleting::recordings_expire_and_are_unlinked,
    deleting::calls_expire_with_all_that_belongs_to_them,
    deleting::an_owner_is_deleted_without_a_trace,
    webhooks::a_webhook_from_its_call_to_its_end,
    webhooks::webhooks_expire_with_their_calls,
    webhooks::secrets_are_counted_for_each_owner,
    waiting::a_call_that_waits_is_begun_once,
    waiting::a_call_counts_for_the_day_of_its_time,
    waiting::follow_ups_are_found_from_both_ends,
    waiting::whose_key_was_minted_is_known,
    campaigns::a_campaign_from_request_to_end,
    campaigns::campaigns_are_listed_for_their_owner,
    campaigns::one_of_many_simultaneous_campaigns_is_new,
    campaigns::campaigns_expire_after_their_calls,
    schedules::of_any_who_try_one_takes_a_run,
    schedules::what_was_missed_and_what_overlaps_is_written_down,
    schedules::schedules_are_listed_changed_and_deleted,
    schedules::so_many_an_owner_may_have,
    schedules::calls_to_the_user_are_counted,
}
