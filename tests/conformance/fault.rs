//! What can be wrong with a backend.

/// One deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    // Records
    LoadsAnEmptyRecordWhereNoneIs,
    LosesCustomMetadata,
    KeepsTheFirstRecord,
    LastWriterWins,
    FirstSavesReplaceRecords,
    SavesOverNothing,
    ComparesVersionsOnly,
    RefusesRepeatedSaves,
    RemembersWriteIdsForever,
    KeepsVersionsAsDoubles,
    SecondDeleteSaysTrue,
    // Contents
    ReformatsJson,
    TurnsNestedMetadataIntoText,
    CutsStatesAt4Mib,
    RefusesStatesAbove16Mib,
    // Keys
    FoldsLetterCase,
    JoinsTheHalvesOfKeys,
    TrimsIds,
    CutsIdsAt255Bytes,
    ListsEscapedIds,
    ListsByPrefix,
    ListsOutOfOrder,
    ListsLeasedKeys,
    ListsNothingForInvalidIds,
    // Leases
    GivesHeldLeases,
    ReleaseDoesNothing,
    LeaksDroppedLeases,
    RefusesASecondRelease,
    TokensStandStill,
    DeleteForgetsTokens,
    ReleasedLeasesSave,
    OldTokensSave,
    AnybodyReleases,
    LocksWholeUsers,
    LoadsWaitForTheHolder,
    // Leases that run out
    HidesItsTtl,
    ClaimsATtl,
    RunsOutEarly,
    RenewDoesNothing,
    RunningOutIsLosing,
    // Records that expire
    IgnoresTtls,
    ExpiresEarly,
    ListsExpiredKeys,
    OpensExpiredRecords,
    ExpiredRecordsAreInTheWay,
    ExpiresUnderTheHolder,
    LeasesMakeImmortal,
    TtlsStick,
    TtlsBeginOnce,
    // Two steps in one
    OpensWithoutTheRecord,
    OpensHeldKeys,
    FailedOpenKeepsTheLease,
    SaveAndReleaseKeepsTheLease,
    ConflictReleases,
    // Atomicity and cancellation
    SavesInTwoSteps,
    DroppedAcquireLeaks,
    DroppedLoadBlocks,
    DroppedSaveComesLate,
    DroppedSaveBlocks,
    DroppedDeleteTears,
    DroppedReleaseForgets,
    // Instances
    InstancesShareNothing,
    InstancesShareNoLeases,
    InstancesDisagree,
    ClaimsToSurvive,
    SurvivesUnannounced,
    // What cannot be read
    DamageLoadsAsNone,
    SavesOverDamage,
    DamageCannotBeDeleted,
    // What is set aside
    AsidesStayUnderTheirKeys,
    AsidesLoseCustomMetadata,
    DamageCannotBeSetAside,
    RefusesRepeatedAsides,
    RestoresOverRecords,
    AnybodySetsAside,
    ListsAllAsides,
    // Privacy
    ErrorsQuoteStates,
    SourcesQuoteStates,
    DebugQuotesStates,
    // Only to be found by many steps, or by many tasks
    RenewedLeasesOutliveTheirRelease,
    LoadsAreStaleNowAndThen,
    // Of any check
    NeverAnswers,
    Panics,
}
