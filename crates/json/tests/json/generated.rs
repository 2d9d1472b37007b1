//! Properties of random types and values.

use proptest::prelude::*;
use weft_json::{Format, Int64, Names, Settings, Type};

use crate::model::{Random, RandomType, Value};
use crate::support::{param, read_with, write_with};

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let names = prop_oneof![Just(Names::Camel), Just(Names::Kebab)];
    let int64 = prop_oneof![Just(Int64::Number), Just(Int64::String)];
    (names, int64).prop_map(|(names, int64)| Settings { names, int64 })
}

/// A random type, and a generator of values of it.
pub(crate) fn random_type(seed: u64) -> (Type, Random) {
    let mut random = Random(seed);
    let mut wit = RandomType::default();
    let ty = wit.ty(&mut random, 4);
    (param(&wit.definitions, &ty), random)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn value_bytes_are_the_expected_json_and_come_back(
        seed in any::<u64>(),
        settings in settings(),
    ) {
        let (ty, mut random) = random_type(seed);
        for _ in 0..4 {
            let value = Value::random(&ty, &mut random);
            let bytes = value.wire(&ty);
            let body = write_with(Format::Json, &bytes, &ty, settings).unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&body), value.json(&ty, settings));
            let back = read_with(Format::Json, &body, &ty, settings);
            prop_assert_eq!(back, Ok(bytes), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn every_form_of_a_body_is_the_same_value(seed in any::<u64>(), settings in settings()) {
        let (ty, mut random) = random_type(seed);
        for _ in 0..4 {
            let value = Value::random(&ty, &mut random);
            let body = value.any_json(&ty, settings, &mut random);
            let bytes = read_with(Format::Json, body.as_bytes(), &ty, settings);
            prop_assert_eq!(bytes, Ok(value.wire(&ty)), "{}", body);
        }
    }

    #[test]
    fn value_bytes_come_back_from_cbor(seed in any::<u64>(), settings in settings()) {
        let (ty, mut random) = random_type(seed);
        for _ in 0..4 {
            let bytes = Value::random(&ty, &mut random).wire(&ty);
            let body = write_with(Format::Cbor, &bytes, &ty, settings).unwrap();
            let back = read_with(Format::Cbor, &body, &ty, settings);
            prop_assert_eq!(back, Ok(bytes), "{}", hex(&body));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
