//! Every check bites: each finds the mistakes that it is there for, and nothing where none is.

use std::time::Duration;

use cogency_state::conformance::{self, Check, Outcome, checks};

use crate::broken::{BrokenHarness, TTL};
use crate::fault::Fault::{self, *};

/// A check, a mistake that it finds, and what it says of it.
type Bite = (&'static str, Fault, &'static str);

const BITES: &[Bite] = &[
    ("an_absent_key_loads_none", LoadsAnEmptyRecordWhereNoneIs, "none is due"),
    ("a_saved_record_loads_equal", LosesCustomMetadata, "it differs in metadata.custom"),
    ("a_save_replaces_the_record_it_was_made_from", KeepsTheFirstRecord, "version (1, due is 2)"),
    ("a_stale_save_is_a_conflict", LastWriterWins, "version 1 of 2: the save succeeded"),
    ("a_first_save_over_a_record_is_a_conflict", FirstSavesReplaceRecords, "due is Conflict"),
    ("a_save_over_an_absent_record_is_a_conflict", SavesOverNothing, "from a deleted record"),
    ("a_record_made_anew_is_not_the_one_before", ComparesVersionsOnly, "made anew since"),
    ("a_repeated_save_succeeds_and_leaves_the_record", RefusesRepeatedSaves, "save_state failed"),
    ("a_repeated_save_does_not_undo_a_later_one", RemembersWriteIdsForever, "repeated late"),
    ("revisions_are_exact_beyond_two_to_the_53", KeepsVersionsAsDoubles, "9007199254740992"),
    ("a_deleted_record_is_gone", SecondDeleteSaysTrue, "before the first save says true"),
    ("states_come_back_byte_for_byte", ReformatsJson, "differs in state"),
    ("custom_metadata_comes_back_nested", TurnsNestedMetadataIntoText, "metadata.custom"),
    ("a_state_of_8_mib_comes_back", CutsStatesAt4Mib, "(4194304 bytes, due are 8388608)"),
    ("a_state_of_64_mib_comes_back", RefusesStatesAbove16Mib, "too large"),
    ("keys_that_differ_name_different_records", FoldsLetterCase, r#"/"A", after"#),
    ("keys_that_differ_name_different_records", JoinsTheHalvesOfKeys, r#"/"b:c", after"#),
    ("keys_that_differ_name_different_records", TrimsIds, r#"/"a ", after"#),
    ("keys_that_differ_name_different_records", CutsIdsAt255Bytes, "xxxy"),
    ("listing_names_hostile_keys_exactly", ListsEscapedIds, "does not show"),
    ("listing_shows_one_users_keys_in_order", ListsByPrefix, "is not the user's"),
    ("listing_shows_one_users_keys_in_order", ListsOutOfOrder, "out of order"),
    ("listing_shows_keys_with_a_record_only", ListsLeasedKeys, "which has no record"),
    ("listing_refuses_invalid_ids", ListsNothingForInvalidIds, "due is InvalidKey"),
    ("listing_all_shows_the_keys_of_all_users", ListsOnePageOfAll, "no page of list_all shows"),
    ("listing_all_shows_keys_with_a_record_only", ListsLeasedKeysOfAll, "which has no record"),
    ("listing_all_is_refused_clearly", HidesThatItListsAll, "the capabilities say that it cannot"),
    ("a_held_lease_is_not_given_twice", GivesHeldLeases, "given to a second holder"),
    ("a_released_lease_is_free", ReleaseDoesNothing, "but nobody holds"),
    ("a_lease_is_free_after_its_last_copy", LeaksDroppedLeases, "is still held"),
    ("a_lease_may_be_released_twice", RefusesASecondRelease, "release_lease failed"),
    ("tokens_grow_from_lease_to_lease", TokensStandStill, "token 1 came after 1"),
    ("tokens_grow_from_lease_to_lease", DeleteForgetsTokens, "token 1 came after 2"),
    ("a_released_lease_changes_nothing", ReleasedLeasesSave, "save_state with a released lease"),
    ("a_lease_of_the_past_does_no_harm", OldTokensSave, "save_state with the lease before"),
    ("a_lease_of_the_past_does_no_harm", AnybodyReleases, "was released again"),
    ("leases_on_different_keys_are_independent", LocksWholeUsers, "but nobody holds"),
    ("reading_needs_no_lease", LoadsWaitForTheHolder, "somebody holds it"),
    ("a_lease_without_ttl_does_not_run_out", HidesItsTtl, "held without renewal"),
    ("a_lease_runs_out_without_renewal", ClaimsATtl, "is still held"),
    ("a_lease_lasts_for_its_ttl", RunsOutEarly, "before its ttl was over"),
    ("a_renewed_lease_lasts", RenewDoesNothing, "after it was renewed"),
    ("a_lease_that_ran_out_counts_until_it_is_taken", RunningOutIsLosing, "was lost"),
    ("a_lease_taken_over_does_no_harm", OldTokensSave, "with a lease that was taken over"),
    ("a_record_is_gone_after_its_ttl", IgnoresTtls, "is still there"),
    ("a_record_is_gone_after_its_ttl", ExpiresEarly, "before its ttl was over: there is no record"),
    ("an_expired_record_is_not_listed", ListsExpiredKeys, "whose record has expired"),
    (
        "an_expired_record_is_not_found_under_a_lease",
        OpensExpiredRecords,
        "after its ttl: there is",
    ),
    ("an_expired_record_is_not_found_under_a_lease", SecondDeleteSaysTrue, "that there was one"),
    ("a_save_after_the_ttl_is_a_first_one", SavesOverNothing, "made from an expired record"),
    ("a_save_after_the_ttl_is_a_first_one", ExpiredRecordsAreInTheWay, "save_state failed"),
    ("a_record_lasts_while_its_lease_is_held", ExpiresUnderTheHolder, "its record expired failed"),
    ("a_record_that_a_lease_kept_goes_with_it", LeasesMakeImmortal, "is still there"),
    (
        "a_save_without_ttl_makes_the_record_stay",
        TtlsStick,
        "after a save without ttl: there is no",
    ),
    ("each_save_begins_the_ttl_anew", TtlsBeginOnce, "the ttl of its last save was over: there is"),
    ("acquire_and_load_gives_the_lease_and_the_record", OpensWithoutTheRecord, "no record"),
    ("acquire_and_load_respects_a_holder", OpensHeldKeys, "to a second holder"),
    ("acquire_and_load_gives_the_lease_back_if_it_fails", FailedOpenKeepsTheLease, "says Held"),
    ("save_and_release_saves_and_releases", SaveAndReleaseKeepsTheLease, "but nobody holds"),
    ("save_and_release_keeps_the_lease_on_a_conflict", ConflictReleases, "to a second holder"),
    ("readers_see_whole_records", SavesInTwoSteps, "mixture"),
    ("a_dropped_acquire_leaves_the_lease_free", DroppedAcquireLeaks, "is still held"),
    ("a_dropped_load_changes_nothing", DroppedLoadBlocks, "busy"),
    ("a_dropped_save_leaves_the_old_record_or_the_new", SavesInTwoSteps, "neither"),
    ("a_dropped_save_leaves_the_old_record_or_the_new", DroppedSaveComesLate, "next holder"),
    ("a_dropped_save_comes_to_an_end", DroppedSaveBlocks, "in the way of every other"),
    ("a_dropped_delete_leaves_the_record_or_none", DroppedDeleteTears, "after a dropped delete"),
    ("a_dropped_release_can_be_repeated", DroppedReleaseForgets, "but nobody holds"),
    ("a_second_instance_sees_the_same_records", InstancesShareNothing, "there is no record"),
    ("a_second_instance_sees_the_same_leases", InstancesShareNoLeases, "after it was taken here"),
    ("instances_agree_on_what_they_are", InstancesDisagree, "the locations are"),
    ("records_survive_a_restart", ClaimsToSurvive, "after a restart: there is no record"),
    ("nothing_outlives_the_process", SurvivesUnannounced, "after a restart, with Durability"),
    ("an_unreadable_record_is_not_loaded", DamageLoadsAsNone, "loads as none"),
    ("no_save_replaces_an_unreadable_record", SavesOverDamage, "replaces an unreadable record"),
    ("an_unreadable_record_can_be_deleted", DamageCannotBeDeleted, "delete_state failed"),
    ("what_is_set_aside_leaves_its_key", AsidesStayUnderTheirKeys, "none is due"),
    ("what_is_set_aside_comes_back_equal", AsidesLoseCustomMetadata, "metadata.custom"),
    ("an_unreadable_record_can_be_set_aside", DamageCannotBeSetAside, "set_aside failed"),
    ("setting_aside_can_be_repeated", RefusesRepeatedAsides, "repeated set_aside says false"),
    ("nothing_is_restored_over_a_record", RestoresOverRecords, "restore over a record succeeded"),
    ("only_who_holds_the_key_sets_aside", AnybodySetsAside, "with an old lease succeeded"),
    ("what_was_set_aside_is_listed_for_its_user", ListsAllAsides, "of a user shows"),
    ("blobs_are_there_where_they_are_said_to_be", HidesItsBlobs, "place for them: true"),
    ("a_saved_blob_loads_equal", CutsBlobsAt1Mib, "3145728 bytes does not load equal"),
    ("a_record_says_which_blobs_it_names", LosesBlobIds, "metadata.blob_ids"),
    ("a_blob_is_stored_once", RefusesRepeatedBlobs, "save_blob failed"),
    ("a_removed_blob_is_gone_and_the_others_stay", RemovesAllBlobs, "[] are listed"),
    ("only_who_holds_the_key_changes_blobs", AnybodySavesBlobs, "save_blob with an old lease"),
    ("only_who_holds_the_key_changes_blobs", AnybodyRemovesBlobs, "remove_blobs with an old lease"),
    ("blobs_stay_when_their_record_changes", DeletesDropBlobs, "was deleted: 0 bytes load of 3"),
    ("blobs_survive_a_restart", ClaimsToSurvive, "after a restart: 0 bytes load"),
    ("a_damaged_blob_is_refused", LoadsDamagedBlobs, "loads, due is Corrupt"),
    ("messages_do_not_show_states", ErrorsQuoteStates, "a stale save shows the state"),
    ("messages_do_not_show_states", SourcesQuoteStates, "shows the state"),
    ("messages_do_not_show_states", DebugQuotesStates, "Debug output of the backend"),
    ("a_history_is_there_where_it_is_said_to_be", ClaimsAHistory, "but history() gives one: false"),
    ("each_save_and_delete_has_one_entry", NotesRepeatedSaves, r#"["reset", "reset", "delete""#),
    ("each_save_and_delete_has_one_entry", ForgetsDeletes, r#"["reset", "save"]"#),
    ("a_save_that_is_refused_has_no_entry", NotesRefusedSaves, "there are 2 entries"),
    ("each_version_comes_back", LoadsTheNewestVersion, "version (12, due is 1)"),
    ("a_pruned_history_keeps_what_it_should", PrunesTooMuch, "version 10"),
    ("what_is_set_aside_and_comes_back_has_entries", ForgetsAsides, r#"are of ["save"]"#),
    (
        "the_keys_of_histories_are_listed_in_order",
        ForgetsHistoriesOfDeletedStates,
        "whose state is gone",
    ),
    ("what_need_not_stay_is_exported_once", ExportsFromTheBeginning, "does not begin behind"),
    ("what_need_not_stay_is_exported_once", ExportsWhatHasToStay, "has to stay"),
    ("exported_entries_are_removed_by_their_hash", RemovesWhateverStandsThere, "another hash"),
    ("random_sequences_agree_with_a_model", RenewedLeasesOutliveTheirRelease, "2. Renew"),
    ("concurrent_histories_are_consistent", LoadsAreStaleNowAndThen, "a load found version"),
    // Of any check
    ("an_absent_key_loads_none", NeverAnswers, "hangs: no answer within 200ms"),
    ("an_absent_key_loads_none", Panics, "panicked: out of order"),
];

fn check(name: &str) -> &'static Check {
    checks().iter().find(|check| check.name() == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The ttl that leases have while a check is tried out.
fn ttl_for(check: &str) -> Option<Duration> {
    let about_ttl = [
        "a_lease_runs_out_without_renewal",
        "a_lease_lasts_for_its_ttl",
        "a_renewed_lease_lasts",
        "a_lease_that_ran_out_counts_until_it_is_taken",
        "a_lease_taken_over_does_no_harm",
    ];
    about_ttl.contains(&check).then_some(TTL)
}

#[test]
fn every_check_has_a_mistake_that_it_finds() {
    for check in checks() {
        assert!(BITES.iter().any(|(name, ..)| *name == check.name()), "{}", check.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_finds_its_mistakes() {
    let mut running = tokio::task::JoinSet::new();
    for (name, fault, due) in BITES {
        running.spawn(async move {
            let harness = BrokenHarness::new(Some(*fault), ttl_for(name));
            match check(name).run(&harness).await {
                Outcome::Failed(failure) if failure.to_string().contains(due) => None,
                Outcome::Failed(failure) => {
                    Some(format!("{name} says of {fault:?}:\n  {failure}\n  due is: {due}"))
                }
                other => Some(format!("{name} does not find {fault:?}: {other:?}")),
            }
        });
    }
    let missed: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_without_mistakes_passes() {
    for ttl in [None, Some(TTL)] {
        let report = conformance::run(&BrokenHarness::new(None, ttl)).await;
        report.assert_passed();
        // What is about a ttl, or about having none; a restart, or having none.
        assert!(report.not_applicable().count() <= 7, "{report}");
    }
}
