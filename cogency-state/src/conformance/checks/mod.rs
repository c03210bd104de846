//! The table of contents: every check with its rule.

pub(super) mod aside;
mod atomicity;
pub(super) mod blobs;
mod cancellation;
mod contents;
mod expiry;
mod history;
mod history_export;
mod instances;
mod joint;
mod keys;
mod leases;
mod lifetimes;
mod listing_all;
mod privacy;
mod records;
mod unreadable;

use super::check::Check;
use super::{concurrent, model};

/// Hands the names and rules of all checks to another macro, after what is handed through.
///
/// A check is added here and nowhere else.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_conformance_check {
    ([$($each:tt)+] $($through:tt)*) => {
        $($each)+! {
            $($through)*

            /// A key under which nothing was saved loads as `None`.
            records::an_absent_key_loads_none,
            /// Every field of a record comes back equal, also the optional ones without a value.
            records::a_saved_record_loads_equal,
            /// A save replaces the record that it was made from.
            records::a_save_replaces_the_record_it_was_made_from,
            /// A save made from another version gets `Conflict` with both and changes nothing.
            records::a_stale_save_is_a_conflict,
            /// A save that expects no record gets `Conflict` where there is one.
            records::a_first_save_over_a_record_is_a_conflict,
            /// A save that expects a record gets `Conflict` where there is none.
            records::a_save_over_an_absent_record_is_a_conflict,
            /// Where the version is right but the write id is another, a save gets `Conflict`.
            records::a_record_made_anew_is_not_the_one_before,
            /// A save whose write id the record has already succeeds and leaves the record.
            records::a_repeated_save_succeeds_and_leaves_the_record,
            /// A save that is repeated after a later one gets `Conflict`.
            records::a_repeated_save_does_not_undo_a_later_one,
            /// Versions are compared and kept exactly, up to `i64::MAX`.
            records::revisions_are_exact_beyond_two_to_the_53,
            /// A deleted record is absent, a second delete says `false`, a first save works again.
            records::a_deleted_record_is_gone,

            /// A state comes back byte for byte, whatever JSON it is.
            contents::states_come_back_byte_for_byte,
            /// Custom metadata comes back equal, to every depth.
            contents::custom_metadata_comes_back_nested,
            /// A state of 8 MiB comes back.
            contents::a_state_of_8_mib_comes_back,
            /// A state of 64 MiB comes back.
            contents::a_state_of_64_mib_comes_back,

            /// Two keys that differ in any byte name two records.
            keys::keys_that_differ_name_different_records,
            /// Keys of any characters are listed exactly.
            keys::listing_names_hostile_keys_exactly,
            /// A user's keys are listed in order, and none of a user whose id is alike.
            keys::listing_shows_one_users_keys_in_order,
            /// A key without a record is not listed, leased or deleted.
            keys::listing_shows_keys_with_a_record_only,
            /// An id that cannot be part of a key gets `InvalidKey`.
            keys::listing_refuses_invalid_ids,

            /// Where all keys can be listed, every key is in one of the pages, of whatever user.
            listing_all::listing_all_shows_the_keys_of_all_users,
            /// Where all keys can be listed, a key without a record is in no page.
            listing_all::listing_all_shows_keys_with_a_record_only,
            /// A list of all keys is refused where it cannot be made, and from a made-up place.
            listing_all::listing_all_is_refused_clearly,

            /// A held lease is not given to a second holder.
            leases::a_held_lease_is_not_given_twice,
            /// A released lease is free at once.
            leases::a_released_lease_is_free,
            /// A lease is free once its last copy is dropped: at once, or when its ttl is over.
            leases::a_lease_is_free_after_its_last_copy,
            /// Releasing a lease again is not an error.
            leases::a_lease_may_be_released_twice,
            /// Fencing tokens grow from lease to lease, also when the record is deleted.
            leases::tokens_grow_from_lease_to_lease,
            /// A released lease gets `LeaseLost`.
            leases::a_released_lease_changes_nothing,
            /// A lease gets `LeaseLost` while the next holder works, and does not disturb them.
            leases::a_lease_of_the_past_does_no_harm,
            /// A lease on one key has nothing to do with any other key.
            leases::leases_on_different_keys_are_independent,
            /// Loads and lists work while somebody holds the key.
            leases::reading_needs_no_lease,
            /// Where leases have no ttl, one that is held does not run out.
            leases::a_lease_without_ttl_does_not_run_out,

            /// Where leases have a ttl, one that is not renewed is free when it is over.
            expiry::a_lease_runs_out_without_renewal,
            /// Where leases have a ttl, one is held until it is over.
            expiry::a_lease_lasts_for_its_ttl,
            /// A lease that is renewed in time lasts for several ttls.
            expiry::a_renewed_lease_lasts,
            /// A lease that ran out but that nobody took saves, deletes and can be renewed.
            expiry::a_lease_that_ran_out_counts_until_it_is_taken,
            /// A lease that was taken over gets `LeaseLost` and does not disturb the new holder.
            expiry::a_lease_taken_over_does_no_harm,

            /// A record that was saved with a ttl is there until that is over, and then gone.
            lifetimes::a_record_is_gone_after_its_ttl,
            /// A record that has expired is not listed.
            lifetimes::an_expired_record_is_not_listed,
            /// Whoever takes the lease on an expired record finds none.
            lifetimes::an_expired_record_is_not_found_under_a_lease,
            /// Where a record has expired, a save made from it gets `Conflict`, a first save works.
            lifetimes::a_save_after_the_ttl_is_a_first_one,
            /// A record that expires while its lease is held can be saved over by the holder.
            lifetimes::a_record_lasts_while_its_lease_is_held,
            /// A record that expired while its lease was held is gone when that is given back.
            lifetimes::a_record_that_a_lease_kept_goes_with_it,
            /// A save without a ttl ends that of the save before.
            lifetimes::a_save_without_ttl_makes_the_record_stay,
            /// The ttl begins anew with each save that has one.
            lifetimes::each_save_begins_the_ttl_anew,

            /// `acquire_and_load` gives what `acquire_lease` and `load_state` give.
            joint::acquire_and_load_gives_the_lease_and_the_record,
            /// `acquire_and_load` says `Held` while somebody holds the key.
            joint::acquire_and_load_respects_a_holder,
            /// `acquire_and_load` keeps no lease if the load fails.
            joint::acquire_and_load_gives_the_lease_back_if_it_fails,
            /// `save_and_release` saves, and the lease is free.
            joint::save_and_release_saves_and_releases,
            /// `save_and_release` changes nothing on a `Conflict` and the lease stays.
            joint::save_and_release_keeps_the_lease_on_a_conflict,

            /// Loads during saves see one save's record, whole, and never an older one again.
            atomicity::readers_see_whole_records,

            /// An `acquire_lease` that is dropped at any await leaves no lease behind.
            cancellation::a_dropped_acquire_leaves_the_lease_free,
            /// A load or list that is dropped at any await leaves everything as it was.
            cancellation::a_dropped_load_changes_nothing,
            /// A save that is dropped at any await leaves the old record or the new, and is over
            /// when the next holder has the key.
            cancellation::a_dropped_save_leaves_the_old_record_or_the_new,
            /// Where saves survive their drop, one that was dropped can be repeated at once.
            cancellation::a_dropped_save_comes_to_an_end,
            /// A delete that is dropped at any await leaves the record or none.
            cancellation::a_dropped_delete_leaves_the_record_or_none,
            /// A renewal or release that is dropped at any await leaves the lease usable.
            cancellation::a_dropped_release_can_be_repeated,

            /// A second instance sees the first one's saves and deletes at once.
            instances::a_second_instance_sees_the_same_records,
            /// A second instance sees the first one's leases at once.
            instances::a_second_instance_sees_the_same_leases,
            /// Instances over the same records have the same location and capabilities.
            instances::instances_agree_on_what_they_are,
            /// Where the durability says so, records outlive the process.
            instances::records_survive_a_restart,
            /// Where the durability says so, nothing outlives the process.
            instances::nothing_outlives_the_process,

            /// An unreadable record gets an error from a load, not `None`.
            unreadable::an_unreadable_record_is_not_loaded,
            /// A save by somebody who has not read the record does not replace an unreadable one.
            unreadable::no_save_replaces_an_unreadable_record,
            /// An unreadable record can be deleted.
            unreadable::an_unreadable_record_can_be_deleted,

            /// Where the capabilities say that a history is kept, there is one.
            history::a_history_is_there_where_it_is_said_to_be,
            /// Each save and delete has one entry, however often it is repeated, in order.
            history::each_save_and_delete_has_one_entry,
            /// A save that is refused has no entry.
            history::a_save_that_is_refused_has_no_entry,
            /// Each version comes back as the record that was saved.
            history::each_version_comes_back,
            /// A pruned history still has the versions that are to stay, and verifies.
            history::a_pruned_history_keeps_what_it_should,
            /// A history tells what was set aside, and that it came back, once each.
            history::what_is_set_aside_and_comes_back_has_entries,
            /// Where an archive can ask for them, keys with a history are listed by pages, in order,
            /// also those whose state is gone.
            history_export::the_keys_of_histories_are_listed_in_order,
            /// Where an archive can ask for it, what need not stay is exported once, and no more.
            history_export::what_need_not_stay_is_exported_once,
            /// Where an archive can ask for it, entries are removed up to the one that is meant.
            history_export::exported_entries_are_removed_by_their_hash,
            /// What is set aside is not under its key any more, which is free for another record.
            aside::what_is_set_aside_leaves_its_key,
            /// What is set aside comes back equal.
            aside::what_is_set_aside_comes_back_equal,
            /// An unreadable record can be set aside, and comes back as it was.
            aside::an_unreadable_record_can_be_set_aside,
            /// A `set_aside` that is repeated with its id does nothing more.
            aside::setting_aside_can_be_repeated,
            /// A restore where there is a record gets `Conflict` and changes nothing.
            aside::nothing_is_restored_over_a_record,
            /// An old lease gets `LeaseLost` from `set_aside` and `restore_aside`.
            aside::only_who_holds_the_key_sets_aside,
            /// What was set aside is listed for its user, and for all, until it is deleted.
            aside::what_was_set_aside_is_listed_for_its_user,

            /// Where the capabilities say that blobs are kept, there is a place for them.
            blobs::blobs_are_there_where_they_are_said_to_be,
            /// A blob comes back byte for byte, under its own key and no other.
            blobs::a_saved_blob_loads_equal,
            /// A record, and its entry in a history, say which blobs it names.
            blobs::a_record_says_which_blobs_it_names,
            /// A blob that is saved again is there once.
            blobs::a_blob_is_stored_once,
            /// A blob that is removed is gone, and no other.
            blobs::a_removed_blob_is_gone_and_the_others_stay,
            /// An old lease gets `LeaseLost` from `save_blob` and `remove_blobs`.
            blobs::only_who_holds_the_key_changes_blobs,
            /// Blobs stay where they are when their record is deleted and made anew.
            blobs::blobs_stay_when_their_record_changes,
            /// Where the durability says so, blobs outlive the process.
            blobs::blobs_survive_a_restart,
            /// A blob whose bytes are not those that were saved gets `Corrupt`, which names it.
            blobs::a_damaged_blob_is_refused,

            /// No error, `Debug` output or location shows what a state holds.
            privacy::messages_do_not_show_states,

            /// Random sequences of operations give what a model of the contract gives.
            model::random_sequences_agree_with_a_model,
            /// The history of concurrent writers and readers can be explained one step at a time.
            concurrent::concurrent_histories_are_consistent,
        }
    };
}

macro_rules! table {
    ($($(#[doc = $doc:literal])+ $module:ident::$name:ident,)+) => {
        &[$(Check {
            name: stringify!($name),
            doc: concat!($($doc),+),
            body: |trial| Box::pin($module::$name(trial)),
        },)+]
    };
}

/// All checks, in the order in which [`run`](super::run) runs them.
#[must_use]
pub fn checks() -> &'static [Check] {
    crate::__for_each_conformance_check!([table])
}
