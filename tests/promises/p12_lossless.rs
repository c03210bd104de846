//! 12. Lossless: what serde can write as JSON and read again comes back equal.

use std::collections::{BTreeMap, HashMap};

use cogency_state::{Error, StateManager};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::places::{Place, key, on_every_backend};

/// Saves and loads, through what this process remembers and without it.
async fn comes_back<T>(place: &Place, user_id: &str, state: T)
where
    T: Serialize
        + DeserializeOwned
        + Default
        + Clone
        + PartialEq
        + std::fmt::Debug
        + Send
        + 'static,
{
    let manager = place.manager();
    manager.save_state(&key(user_id), state.clone(), None).await.unwrap();
    assert!(manager.begin::<T>(&key(user_id)).await.unwrap().state == state, "warm");
    assert!(place.manager().begin::<T>(&key(user_id)).await.unwrap().state == state, "cold");
}

async fn refusal<T>(manager: &StateManager, state: T) -> (String, Error)
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let error = manager.save_state(&key("refused"), state, None).await.unwrap_err();
    assert!(manager.list_states("refused").await.unwrap().is_empty(), "something was written");
    let Error::Encode { path, .. } = &error else { panic!("{error}") };
    (path.clone(), error)
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Extremes {
    unsigned: Vec<u64>,
    signed: Vec<i64>,
    /// As bits: -0.0 equals 0.0.
    floats: Vec<f64>,
    text: String,
    option: Option<u8>,
    by_number: BTreeMap<i32, String>,
    value: Value,
}

impl Extremes {
    fn new() -> Self {
        Self {
            unsigned: vec![0, u64::MAX, 1 << 53, (1 << 53) + 1],
            signed: vec![i64::MIN, -1, i64::MAX],
            floats: vec![-0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN, 0.1, 1.0 / 3.0],
            text: (0..=0x10_ffff).filter_map(char::from_u32).step_by(7).collect(),
            option: None,
            by_number: BTreeMap::from([(-1, "\u{0}".to_owned())]),
            value: json!({"": null, "a:b": [1.5, "\u{2028}"], "\u{0}": {"\"": "\\"}}),
        }
    }
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(json!([]), |inner, _| json!([inner]))
}

/// Numbers that stand for all there are: a linear congruential generator (Knuth's MMIX).
fn random_bits(count: usize) -> impl Iterator<Item = u64> {
    let mut state = 4711_u64;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 31)
    })
    .take(count)
}

on_every_backend! {
    async fn numbers_and_text_to_their_ends_come_back_equal(place: Place) {
        comes_back(&place, "extremes", Extremes::new()).await;
        let loaded = place.manager().load_state::<Extremes>(&key("extremes")).await.unwrap();
        let bits = |floats: &[f64]| floats.iter().map(|f| f.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&loaded.unwrap().state.floats), bits(&Extremes::new().floats));
    }

    async fn finite_floats_come_back_bit_for_bit(place: Place) {
        let floats: Vec<f64> =
            random_bits(20_000).map(f64::from_bits).filter(|float| float.is_finite()).collect();
        comes_back(&place, "floats", floats).await;
        let floats: Vec<f32> = random_bits(20_000)
            .map(|bits| f32::from_bits(u32::try_from(bits >> 32).unwrap()))
            .filter(|float| float.is_finite())
            .collect();
        comes_back(&place, "small floats", floats).await;
    }

    async fn a_hundred_levels_of_nesting_come_back_equal(place: Place) {
        comes_back(&place, "nested", nested(100)).await;
        comes_back(&place, "nested more", nested(127)).await;
    }

    async fn a_state_of_64_mib_comes_back_equal(place: Place) {
        let line = "All happy families are alike; each unhappy family is unhappy in its own way. ";
        let turns: Vec<String> = vec![line.repeat(13); 64 * 1024];
        assert!(turns.iter().map(String::len).sum::<usize>() > 60 << 20);
        comes_back(&place, "large", turns).await;
    }

    async fn what_json_cannot_say_is_refused_with_its_path_before_anything_is_written(
        place: Place
    ) {
        #[derive(Serialize, Deserialize)]
        struct Scores { rounds: HashMap<String, Vec<Option<f64>>> }
        let manager = place.manager();
        let nan = Scores { rounds: HashMap::from([("first".to_owned(), vec![None, Some(f64::NAN)])]) };
        let (path, error) = refusal(&manager, nan).await;
        assert_eq!(path, "rounds{0}[1]");
        assert!(error.to_string().contains("NaN"), "{error}");
        assert_eq!(refusal(&manager, vec![f32::INFINITY]).await.0, "[0]");

        let keys = BTreeMap::from([((1, 2), "pair".to_owned())]);
        let (path, error) = refusal(&manager, vec![keys]).await;
        assert_eq!(path, "[0]");
        assert!(error.to_string().contains("keys"), "{error}");
        assert!(refusal(&manager, nested(128)).await.1.to_string().contains("nested"), "depth");
    }

    async fn some_of_what_json_writes_as_null_is_refused_with_its_path_before_anything_is_written(
        place: Place
    ) {
        #[derive(Default, Serialize, Deserialize)]
        struct Limits {
            #[expect(clippy::option_option)]
            limit: Option<Option<u32>>,
            value: Option<Value>,
            unit: Option<()>,
        }
        let manager = place.manager();
        for (field, limits) in [
            ("limit", Limits { limit: Some(None), ..Limits::default() }),
            ("value", Limits { value: Some(Value::Null), ..Limits::default() }),
            ("unit", Limits { unit: Some(()), ..Limits::default() }),
        ] {
            let (path, error) = refusal(&manager, vec![Limits::default(), limits]).await;
            assert_eq!(path, format!("[1].{field}"));
            assert!(error.to_string().contains("would come back as `None`: use"), "{error}");
        }
        comes_back(&place, "some", vec![Some(json!([null])), None, Some(json!("null"))]).await;
    }

    async fn what_can_be_written_but_not_read_again_is_refused(place: Place) {
        #[derive(Serialize, Deserialize)]
        struct Flat {
            #[serde(flatten)]
            by_number: HashMap<u32, String>,
        }
        let manager = place.manager();
        let flat = Flat { by_number: HashMap::from([(7, "seven".to_owned())]) };
        let (_, error) = refusal(&manager, flat).await;
        assert!(error.to_string().contains("not read again"), "{error}");
    }

    async fn a_refused_state_leaves_the_one_that_is_there(place: Place) {
        let manager = place.manager();
        manager.save_state(&key("alice"), vec![1.5], None).await.unwrap();
        let mut call = manager.begin::<Vec<f64>>(&key("alice")).await.unwrap();
        call.state.push(f64::NAN);
        let error = call.commit().await.unwrap_err();
        assert!(matches!(error, Error::Encode { .. }), "{error}");
        assert_eq!(manager.begin::<Vec<f64>>(&key("alice")).await.unwrap().state, [1.5]);
    }

    async fn a_warm_call_sees_what_a_cold_one_would(place: Place) {
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        struct Chat {
            turns: u32,
            #[serde(skip)]
            scratch: Vec<String>,
        }
        let manager = place.manager();
        let mut call = manager.begin::<Chat>(&key("alice")).await.unwrap();
        call.state = Chat { turns: 1, scratch: vec!["not kept".to_owned()] };
        call.commit().await.unwrap();
        for manager in [manager, place.manager()] {
            let call = manager.begin::<Chat>(&key("alice")).await.unwrap();
            assert_eq!(call.state, Chat { turns: 1, scratch: vec![] });
        }
    }
}
