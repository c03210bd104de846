//! 15. The LLM is checked: records say who wrote them, and of another one the policy decides.

use cogency_state::{
    Aside, AsideReason, Error, Holder, LeaseAttempt, Llm, LlmChange, LlmMatch, MemoryBackend,
    OnLlmChange, StateManager, robust,
};

use crate::places::{Place, key, on_every_backend};

const GPT: &str = "openai/gpt-5";
const CLAUDE: &str = "anthropic/claude-sonnet-4-5";

/// Says something, and gives all that was said.
#[robust(persist = manager, llm = llm)]
async fn say(
    state: &mut Vec<String>,
    manager: &StateManager,
    user_id: &str,
    llm: &str,
    words: &str,
) -> Result<String, Error> {
    state.push(words.to_owned());
    if words == "fail" { Err(Error::NoRuntime) } else { Ok(state.join(" ")) }
}

async fn said(place: &Place, llm: &str, words: &str) -> String {
    say(&place.manager(), "alice", llm, words).await.unwrap()
}

async fn stored(place: &Place) -> Vec<String> {
    place.manager().load_state(&key("alice")).await.unwrap().unwrap().state
}

/// The only thing that was set aside.
async fn only_aside(place: &Place) -> Aside {
    let mut asides = place.manager().quarantined_of("alice").await.unwrap();
    assert_eq!(asides.len(), 1, "{asides:?}");
    asides.remove(0)
}

/// Names that may be empty, as the original's may.
struct Names(String, String);

impl Llm for Names {
    fn provider(&self) -> &str {
        &self.0
    }

    fn model(&self) -> &str {
        &self.1
    }
}

/// A row of the original's truth table.
#[derive(serde::Deserialize)]
struct Row {
    saved_provider: String,
    saved_model: String,
    validate_llm: bool,
    expected_provider: Option<String>,
    expected_model: Option<String>,
    loaded: bool,
}

on_every_backend! {
    async fn a_record_says_which_llm_wrote_it(place: Place) {
        said(&place, GPT, "hello").await;
        let metadata = place.manager().load_metadata(&key("alice")).await.unwrap().unwrap();
        assert_eq!((&*metadata.llm_provider, &*metadata.llm_model), ("openai", "gpt-5"));
    }

    async fn another_llm_begins_anew_and_each_finds_its_own_state_again(place: Place) {
        assert_eq!(said(&place, GPT, "one").await, "one");
        assert_eq!(said(&place, CLAUDE, "two").await, "two");
        let aside = only_aside(&place).await;
        assert_eq!((aside.key.clone(), aside.reason), (key("alice"), AsideReason::Llm));
        assert_eq!(aside.llm_provider.as_deref(), Some("openai"));
        let loaded = place.manager().load_aside::<Vec<String>>(&aside).await.unwrap().unwrap();
        assert_eq!((loaded.state, loaded.revision.version), (vec!["one".to_owned()], 1));

        assert_eq!(said(&place, GPT, "three").await, "one three");
        assert_eq!(only_aside(&place).await.llm_provider.as_deref(), Some("anthropic"));
        assert_eq!(said(&place, CLAUDE, "four").await, "two four");
        assert_eq!(said(&place, CLAUDE, "five").await, "two four five");
        only_aside(&place).await;
        let loaded = place.manager().load_state::<Vec<String>>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.revision.version, 5, "versions go on");
    }

    async fn a_body_that_fails_leaves_the_other_llms_state_where_it_was(place: Place) {
        said(&place, GPT, "one").await;
        assert!(say(&place.manager(), "alice", CLAUDE, "fail").await.is_err());
        assert_eq!(stored(&place).await, ["one"]);
        assert!(place.manager().quarantined().await.unwrap().is_empty());
        said(&place, CLAUDE, "two").await;
        assert!(say(&place.manager(), "alice", GPT, "fail").await.is_err());
        assert_eq!(stored(&place).await, ["two"]);
        assert_eq!(only_aside(&place).await.llm_provider.as_deref(), Some("openai"));
    }

    async fn who_stops_between_the_two_steps_of_a_reset_loses_nothing(place: Place) {
        said(&place, GPT, "one").await;
        let manager = place.manager();
        let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
        let aside = Aside::new(key("alice"), AsideReason::Llm).with_metadata(1, &metadata);
        let lease = match manager.backend().acquire_lease(&key("alice"), &Holder::current()).await {
            Ok(LeaseAttempt::Acquired(lease)) => lease,
            other => panic!("{other:?}"),
        };
        assert!(manager.backend().set_aside(&lease, &aside).await.unwrap());
        manager.backend().release_lease(&lease).await.unwrap();
        assert_eq!(only_aside(&place).await, aside);
        // The new one begins anew, the old one goes on.
        assert!(say(&place.manager(), "alice", CLAUDE, "fail").await.is_err());
        assert_eq!(said(&place, GPT, "two").await, "one two");
        assert!(place.manager().quarantined().await.unwrap().is_empty());
    }

    async fn keep_goes_on_and_refuse_does_not_begin(place: Place) {
        said(&place, GPT, "one").await;
        let builder = || place.builder().llm(CLAUDE);
        let refusing = builder().on_llm_change(OnLlmChange::Refuse).build();
        let error = refusing.begin::<Vec<String>>(&key("alice")).await.unwrap_err();
        let Error::OtherLlm { stored, given, .. } = &error else { panic!("{error}") };
        assert_eq!((&**stored, &**given), (GPT, CLAUDE));
        let keeping = builder().on_llm_change(OnLlmChange::Keep).build();
        let mut call = keeping.begin::<Vec<String>>(&key("alice")).await.unwrap();
        assert_eq!(call.state, ["one"]);
        call.state.push("two".to_owned());
        call.commit().await.unwrap();
        let metadata = keeping.load_metadata(&key("alice")).await.unwrap().unwrap();
        assert_eq!(metadata.llm_provider, "anthropic");
        assert!(refusing.begin::<Vec<String>>(&key("alice")).await.is_ok());
    }

    async fn a_migration_makes_it_the_other_llms_state(place: Place) {
        said(&place, GPT, "one").await;
        let migrating = |ok: bool| {
            let migration = move |turns: &mut Vec<String>, change: &LlmChange| {
                turns.push(format!("({} to {})", change.from, change.to));
                if ok { Ok(()) } else { Err("it cannot be done") }
            };
            place.builder().llm(CLAUDE).on_llm_change(OnLlmChange::migrate(migration)).build()
        };
        let error = migrating(false).begin::<Vec<String>>(&key("alice")).await.unwrap_err();
        assert!(matches!(error, Error::LlmMigration { .. }), "{error}");
        assert_eq!(stored(&place).await, ["one"]);
        for _ in 0..2 {
            let call = migrating(true).begin::<Vec<String>>(&key("alice")).await.unwrap();
            assert_eq!(call.state, ["one", "(openai/gpt-5 to anthropic/claude-sonnet-4-5)"]);
            call.rollback().await;
        }
        let call = migrating(true).begin::<Vec<String>>(&key("alice")).await.unwrap();
        call.commit().await.unwrap();
        assert_eq!(stored(&place).await.len(), 2);
        assert_eq!(migrating(true).begin::<Vec<String>>(&key("alice")).await.unwrap().state.len(), 2);
    }

    /// `validate_llm` is whether there is a policy at all, an absent name is an empty one.
    async fn the_truth_table_of_the_original_holds_under_its_settings(place: Place) {
        let table = include_str!("../fixtures/original/llm_validation.json");
        let rows: Vec<Row> = serde_json::from_str(table).unwrap();
        assert_eq!(rows.len(), 15);
        for (number, row) in rows.into_iter().enumerate() {
            let key = key(&format!("row{number}"));
            let writer = Names(row.saved_provider, row.saved_model);
            let manager = place.builder().llm(&writer).build();
            manager.save_state(&key, 1_u32, None).await.unwrap();
            let [provider, model] =
                [row.expected_provider, row.expected_model].map(Option::unwrap_or_default);
            let change = if row.validate_llm { OnLlmChange::Reset } else { OnLlmChange::Keep };
            let manager = place
                .builder()
                .llm(Names(provider.clone(), model.clone()))
                .llm_match(LlmMatch::Exact)
                .on_llm_change(change)
                .build();
            let loaded = manager.load_state::<u32>(&key).await.unwrap().is_some();
            let of = (&writer.0, &writer.1, row.validate_llm, provider, model);
            assert_eq!(loaded, row.loaded, "{of:?}");
        }
    }
}

/// What a call with this LLM finds of a state that `openai/gpt-5` wrote.
async fn finds(stored: &str, llm: impl Llm, by: LlmMatch) -> bool {
    let backend = MemoryBackend::new();
    let manager = StateManager::builder(backend.clone()).llm(stored).build();
    manager.save_state(&key("alice"), 1_u32, None).await.unwrap();
    let manager = StateManager::builder(backend).llm(llm).llm_match(by).build();
    manager.load_state::<u32>(&key("alice")).await.unwrap().is_some()
}

#[tokio::test]
async fn models_are_compared_unless_only_providers_are_to_be() {
    assert!(finds(GPT, GPT, LlmMatch::Model).await);
    assert!(!finds(GPT, "openai/gpt-6", LlmMatch::Model).await);
    assert!(finds(GPT, "openai/gpt-6", LlmMatch::Provider).await);
    assert!(!finds(GPT, CLAUDE, LlmMatch::Provider).await);
}

#[tokio::test]
async fn an_unknown_llm_is_the_same_as_any() {
    for by in [LlmMatch::Model, LlmMatch::Provider] {
        assert!(finds("unknown", GPT, by).await);
        assert!(finds(GPT, None::<&str>, by).await);
        assert!(finds(GPT, "openai", by).await);
        assert!(!finds(GPT, "anthropic", by).await);
    }
    assert!(!finds("unknown", GPT, LlmMatch::Exact).await);
}

/// A process may have stopped before it deleted the copy of what had come back.
#[tokio::test]
async fn of_several_states_of_an_llm_the_newest_comes_back() {
    let place = Place::memory();
    let manager = place.builder().llm(GPT).build();
    said(&place, GPT, "one").await;
    let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
    let copy = Aside::new(key("alice"), AsideReason::Llm).with_metadata(1, &metadata);
    let backend = manager.backend();
    let lease = match backend.acquire_lease(&key("alice"), &Holder::current()).await.unwrap() {
        LeaseAttempt::Acquired(lease) => lease,
        other => panic!("{other:?}"),
    };
    assert!(backend.set_aside(&lease, &copy).await.unwrap());
    backend.release_lease(&lease).await.unwrap();
    manager
        .save_state(&key("alice"), vec!["one".to_owned(), "two".to_owned()], None)
        .await
        .unwrap();
    said(&place, CLAUDE, "three").await;
    assert_eq!(manager.quarantined().await.unwrap().len(), 2);
    assert_eq!(said(&place, GPT, "four").await, "one two four");
    let left = manager.quarantined().await.unwrap();
    assert!(left.len() == 2 && left.contains(&copy), "it stays listed: {left:?}");
}
