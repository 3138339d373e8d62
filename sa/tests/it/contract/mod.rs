//! The stories that are true of every engine. Each is a function of a [`World`](crate::world::World); `contract!` makes
//! tests of all of them for one engine.

pub(crate) mod accounts;
pub(crate) mod authorizations;
pub(crate) mod ca_certificates;
pub(crate) mod certificates;
pub(crate) mod crls;
pub(crate) mod feed;
pub(crate) mod incidents;
pub(crate) mod keys;
pub(crate) mod orders;
pub(crate) mod pruning;
pub(crate) mod races;
pub(crate) mod replacements;
pub(crate) mod revocations;
pub(crate) mod workers;

/// Lists the stories, so that `contract!(engine)` can make a test of each with a world that `engine().await` makes. One that is
/// not listed is dead code, and refused as that.
macro_rules! stories {
    ($($module:ident { $($story:ident)* })*) => {
        macro_rules! contract {
            ($engine:path) => {
                $(mod $module {
                    $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                    async fn $story() {
                        crate::contract::$module::$story($engine().await).await;
                    })*
                })*
            };
        }
    };
}

stories! {
    accounts {
        an_account_is_found_by_its_id_and_by_its_key
        a_second_account_with_the_same_key_is_not_stored_and_the_first_comes_back
        an_account_with_the_id_of_another_is_a_conflict
        contacts_are_replaced_and_cleared
        a_deactivated_account_cannot_change_any_more
        an_account_that_the_ca_has_closed_is_revoked_and_cannot_change_any_more
        an_account_that_does_not_exist_cannot_change
    }
    authorizations {
        an_authorization_reads_back_as_it_was_stored
        a_validation_gives_the_thumbprint_of_the_accounts_key
        a_validation_begins_only_once
        an_expired_authorization_is_not_validated
        a_validation_for_a_deactivated_account_is_refused_and_leaves_the_authorization_pending
        a_validation_ends_as_valid_or_invalid_with_its_facts
        a_validation_that_has_ended_cannot_end_again
        a_validation_may_end_before_anybody_was_told_that_it_had_begun
        a_validation_cannot_end_as_anything_else
        an_authorization_deactivated_during_validation_stays_deactivated
        an_open_or_valid_authorization_can_be_deactivated_and_a_final_one_not
        valid_authorizations_answer_each_identifier_in_its_place
        the_valid_authorization_that_expires_last_is_given
        another_accounts_authorizations_are_not_given
    }
    orders {
        an_order_reads_back_with_its_authorizations_in_order
        an_order_can_share_an_authorization_that_exists
        an_order_with_a_missing_or_foreign_authorization_leaves_nothing_behind
        an_order_of_a_deactivated_or_unknown_account_is_refused
        an_order_is_stored_once
        an_open_order_is_found_by_exactly_its_identifiers_and_profile
        an_order_comes_without_what_was_seen_of_its_hosts
        the_newest_of_several_open_orders_is_found
        an_order_that_is_no_longer_open_is_not_found_for_its_identifiers
        only_a_ready_order_begins_to_be_issued
        an_order_with_an_expired_or_deactivated_authorization_is_not_ready
        an_order_ends_with_its_certificate_or_its_problem_and_only_once
        what_does_not_exist_cannot_change
        an_order_is_not_begun_for_a_key_that_is_blocked_or_an_accounts
    }
    certificates {
        a_certificate_reads_back_with_what_its_intent_said
        an_intent_alone_is_no_certificate
        a_serial_and_an_order_are_used_once
        certificates_without_orders_do_not_disturb_each_other
        a_certificate_without_intent_is_refused
        a_second_certificate_for_an_intent_is_refused
        statuses_are_told_in_the_order_of_the_question_and_of_certificates_alone
    }
    ca_certificates {
        ca_certificates_read_back_the_latest_first
        a_ca_certificate_is_recorded_once_and_keeps_its_time
        of_many_ca_certificates_the_latest_are_told
    }
    revocations {
        a_revocation_is_remembered_with_its_reason
        a_second_revocation_is_refused_and_changes_nothing
        what_was_never_issued_cannot_be_revoked
        a_revocation_blocks_a_key_once_and_for_all
        a_refused_revocation_blocks_no_key
        a_key_is_blocked_without_a_revocation_too
    }
    feed {
        what_is_revoked_is_told_in_its_order_and_from_any_place_on
        places_rise_with_the_time
        who_follows_misses_nothing_that_many_revoke_at_once
    }
    crls {
        a_lease_has_one_holder_until_it_ends_or_is_given_back
        of_many_that_want_a_lease_one_has_it
        a_crl_reads_back_once_it_is_published
        numbers_rise_and_only_a_delta_of_the_same_moment_shares_one
        who_lost_the_lease_stores_and_removes_nothing_any_more
        old_crls_are_removed_piece_by_piece_and_the_others_stay
        the_revoked_certificates_of_a_shard_come_in_pages_by_their_serials
        what_is_long_over_is_forgotten_but_never_the_latest
    }
    keys {
        a_revocation_is_corrected_once_and_keeps_its_time
        a_compromised_keys_certificates_are_looked_for_until_that_is_ended
        certificates_are_looked_through_by_serial_and_by_key
    }
    replacements {
        an_order_claims_what_it_replaces_and_says_so
        a_claim_is_held_while_the_order_can_come_to_something
        a_claim_is_given_back_when_the_order_fails_expires_or_becomes_invalid
        of_orders_that_claim_at_once_one_wins
        what_the_time_to_renew_follows_from_comes_in_one_read
    }
    incidents {
        an_incident_reads_back_and_the_latest_come_first
        an_incident_ends_when_it_is_due_and_only_once
        certificates_are_entered_once_and_read_in_stretches
        what_is_done_is_not_to_do_any_more
        a_certificate_is_replaced_by_one_with_the_same_subject_or_by_an_order
    }
    pruning {
        what_says_who_replaces_a_certificate_goes_with_it_and_a_claim_that_came_to_nothing_with_its_order
        an_order_goes_some_time_after_its_end_whatever_became_of_it
        an_order_that_is_being_issued_stays
        an_authorization_stays_as_long_as_an_order_that_is_kept_could_name_it
        a_validation_that_runs_stays
        a_certificate_goes_with_its_intent_and_after_its_order
        an_intent_without_a_certificate_stays
        what_is_kept_for_ever_stays
        a_batch_is_small_and_the_oldest_go_first
        of_several_that_prune_at_once_each_row_goes_once_and_nobody_waits
        what_was_pruned_is_as_what_never_was
    }
    workers {
        abandoned_orders_are_taken_oldest_first
        abandoned_validations_are_taken_oldest_first_with_their_thumbprints
        what_a_living_worker_has_is_left_alone_until_it_falls_silent
        what_was_taken_is_the_takers_as_long_as_it_lives
        what_a_worker_has_itself_comes_to_it_though_it_lives
        a_worker_that_ends_leaves_what_it_has_at_once
        an_order_that_was_given_up_gets_no_certificate
        only_an_order_that_is_being_issued_gets_an_intent
        a_certificate_that_was_signed_is_stored_even_for_an_order_that_was_given_up
        of_two_workers_with_the_same_validation_the_first_result_counts
    }
    races {
        of_many_accounts_with_one_key_one_is_stored
        one_validation_wins
        one_result_of_a_validation_wins
        one_finalization_of_an_order_wins
        one_intent_for_an_order_wins
        of_many_that_take_what_was_abandoned_each_gets_others
        of_intents_for_an_order_and_its_ends_one_of_each_wins_at_most
        one_revocation_wins
        of_deactivations_one_wins_and_has_the_last_word
        changes_that_fail_do_not_disturb_those_beside_them
    }
}
