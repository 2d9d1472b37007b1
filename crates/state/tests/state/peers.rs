//! The exchange between peers while the stores are unavailable: its messages, and downloads from
//! them.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weft_lattice_config::Digest;
use weft_membership::HostId;
use weft_membership::message::{Message, Origin};
use weft_state::desired::record_codec::{DecodedRecord, decode};
use weft_state::desired::{DesiredReplica, Key};
use weft_state::peers::message::{
    Listed, MAX_CHUNK_BYTES, MAX_LISTED, Part, PeerReply, PeerRequest, ReplyBody, RequestBody,
};
use weft_state::peers::{Catalog, Chunk, ChunkedDownload, ChunkedDownloadError};
use weft_state::store::Record;

use weft_testkit::membership::{LATTICE, config, id};

fn any_origin() -> impl Strategy<Value = Origin> {
    any::<([u8; 32], u64, u64)>().prop_map(|(key, incarnation, sequence)| Origin {
        host: HostId::from_key(key),
        incarnation,
        sequence,
    })
}

fn any_key() -> impl Strategy<Value = Key> {
    vec("\\PC{1,6}", 1..4).prop_map(|names| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        Key::new(&names).unwrap()
    })
}

fn any_digest() -> impl Strategy<Value = Digest> {
    any::<u64>().prop_map(|seed| Digest::of(&seed.to_le_bytes()))
}

fn any_question() -> impl Strategy<Value = PeerRequest> {
    let list = option::of(any_key()).prop_map(|after| RequestBody::List { after });
    let bytes = (any_digest(), any::<u64>(), any::<u32>());
    let bytes = bytes.prop_map(|(digest, offset, length)| RequestBody::Bytes {
        digest,
        offset,
        length,
    });
    (any_origin(), prop_oneof![list, bytes])
        .prop_map(|(origin, asked)| PeerRequest { origin, asked })
}

fn any_answer() -> impl Strategy<Value = PeerReply> {
    let record = (any_key(), any_digest(), any::<u64>());
    let record = record.prop_map(|(key, digest, size)| Listed { key, digest, size });
    let list = (vec(record, 0..6), any::<bool>()).prop_map(|(mut records, more)| {
        records.sort_by(|one, other| one.key.cmp(&other.key));
        records.dedup_by(|one, other| one.key == other.key);
        ReplyBody::List { records, more }
    });
    let part = (any::<u64>(), vec(any::<u8>(), 0..40));
    let part = part.prop_map(|(size, bytes)| Part {
        size,
        bytes: Bytes::from(bytes),
    });
    let bytes = option::of(part).prop_map(ReplyBody::Bytes);
    (any_origin(), prop_oneof![list, bytes])
        .prop_map(|(origin, answered)| PeerReply { origin, answered })
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn messages_round_trip_and_never_decode_as_another_kind(
        question in any_question(),
        answer in any_answer(),
    ) {
        let asked = question.encode(LATTICE)?;
        prop_assert_eq!(PeerRequest::decode(&asked, LATTICE)?, question);
        let answered = answer.encode(LATTICE)?;
        prop_assert_eq!(PeerReply::decode(&answered, LATTICE)?, answer);
        prop_assert!(PeerReply::decode(&asked, LATTICE).is_err());
        prop_assert!(PeerRequest::decode(&answered, LATTICE).is_err());
        for bytes in [&asked, &answered] {
            prop_assert!(Message::decode(bytes, LATTICE).is_err());
            prop_assert!(PeerRequest::decode(bytes, "other").is_err());
            prop_assert!(PeerReply::decode(bytes, "other").is_err());
        }
    }

    #[test]
    fn truncated_and_extended_messages_are_refused(
        question in any_question(),
        answer in any_answer(),
    ) {
        let (mut asked, mut answered) = (question.encode(LATTICE)?, answer.encode(LATTICE)?);
        for length in 0..asked.len() {
            prop_assert!(PeerRequest::decode(&asked[..length], LATTICE).is_err());
        }
        for length in 0..answered.len() {
            prop_assert!(PeerReply::decode(&answered[..length], LATTICE).is_err());
        }
        asked.push(0);
        answered.push(0);
        prop_assert!(PeerRequest::decode(&asked, LATTICE).is_err());
        prop_assert!(PeerReply::decode(&answered, LATTICE).is_err());
    }

    #[test]
    fn damaged_bytes_are_refused_or_round_trip(
        question in any_question(),
        answer in any_answer(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let damage = |mut bytes: Vec<u8>| {
            for (index, flip) in &flips {
                let place = index.index(bytes.len());
                bytes[place] ^= flip;
            }
            bytes
        };
        if let Ok(read) = PeerRequest::decode(&damage(question.encode(LATTICE)?), LATTICE) {
            prop_assert_eq!(PeerRequest::decode(&read.encode(LATTICE)?, LATTICE)?, read);
        }
        if let Ok(read) = PeerReply::decode(&damage(answer.encode(LATTICE)?), LATTICE) {
            prop_assert_eq!(PeerReply::decode(&read.encode(LATTICE)?, LATTICE)?, read);
        }
    }

    #[test]
    fn bytes_are_assembled_from_chunks_of_any_size(
        bytes in vec(any::<u8>(), 0..200),
        length in 1..50_usize,
        window in 1..6_usize,
    ) {
        let mut assembly = ChunkedDownload::new(Digest::of(&bytes), 200);
        while !assembly.is_complete() {
            let chunks = assembly.next(window, length);
            prop_assert!(!chunks.is_empty() && chunks.len() <= window);
            for chunk in chunks {
                assembly.take(chunk, &part(&bytes, chunk))?;
            }
        }
        prop_assert_eq!(assembly.finish()?, bytes);
    }
}

/// The part that an honest peer answers with.
fn part(bytes: &[u8], chunk: Chunk) -> Part {
    let start = (chunk.offset as usize).min(bytes.len());
    let end = (start + chunk.length as usize).min(bytes.len());
    Part {
        size: bytes.len() as u64,
        bytes: Bytes::copy_from_slice(&bytes[start..end]),
    }
}

#[test]
fn a_lying_peer_is_detected_before_it_costs_memory() {
    let assembly = || ChunkedDownload::new(Digest::of(b"right"), 10);
    let first = assembly().next(4, 3)[0];
    let answered = |size, bytes: &'static [u8]| Part {
        size,
        bytes: Bytes::from_static(bytes),
    };
    let mut greedy = assembly();
    assert_eq!(
        greedy.take(first, &answered(11, b"wro")),
        Err(ChunkedDownloadError::TooLarge {
            limit: 10,
            found: 11
        })
    );
    for wrong in [&b""[..], b"wr", b"wron"] {
        let mut short = assembly();
        let limit = 3;
        let found = wrong.len();
        assert_eq!(
            short.take(first, &answered(5, wrong)),
            Err(ChunkedDownloadError::Part { limit, found })
        );
    }
    let mut fickle = assembly();
    fickle.take(first, &answered(5, b"wro")).unwrap();
    let second = fickle.next(4, 3)[0];
    assert_eq!(
        fickle.take(second, &answered(6, b"ng!")),
        Err(ChunkedDownloadError::Size {
            expected: 5,
            found: 6
        })
    );
    fickle.take(second, &answered(5, b"ng")).unwrap();
    assert!(matches!(
        fickle.finish(),
        Err(ChunkedDownloadError::Digest { .. })
    ));
}

#[test]
fn a_catalog_is_listed_by_page_into_an_equal_replica() {
    let names = (0..MAX_LISTED * 2 + 5).map(|number| format!("app-{number}"));
    let apps = names.map(|name| {
        let revision = name.len() as u64;
        let changed_at_ms = 1;
        let removed = Record::Removed {
            revision,
            changed_at_ms,
        };
        (name.parse().unwrap(), removed)
    });
    let home = ("shop/orders".parse().unwrap(), "ha".parse().unwrap());
    let copy = DesiredReplica::new(apps, [home]);
    let catalog = Catalog::of(&copy);
    let (mut other, mut after, mut pages) = (DesiredReplica::default(), None, 0);
    loop {
        let (records, more) = catalog.list(after.as_ref());
        let origin = Origin {
            host: id(1),
            incarnation: 1,
            sequence: 1,
        };
        after = records.last().map(|last| last.key.clone());
        for listed in &records {
            let value = catalog.value(&listed.digest).unwrap();
            assert_eq!(value.len() as u64, listed.size);
            match decode(&listed.key, value) {
                DecodedRecord::App(app, record) => assert!(other.take_app(app, record)),
                DecodedRecord::Home(store, host) => assert!(other.take_home(store, host)),
                DecodedRecord::Mark(key, mark) => assert!(other.take_mark(key, mark)),
                DecodedRecord::Unknown(reason) => panic!("{reason}"),
            }
        }
        let answered = ReplyBody::List { records, more };
        let answer = PeerReply { origin, answered };
        answer.encode(LATTICE).expect("a page fits into an answer");
        pages += 1;
        if !more {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!((other.apps(), other.homes()), (copy.apps(), copy.homes()));
    let has = Catalog::of(&other);
    assert!(catalog.list(None).0.iter().all(|listed| has.has(listed)));
}

#[test]
fn the_largest_chunk_fits_into_an_answer_and_a_larger_one_is_not_written() {
    let answer = |length| PeerReply {
        origin: Origin {
            host: id(1),
            incarnation: u64::MAX,
            sequence: u64::MAX,
        },
        answered: ReplyBody::Bytes(Some(Part {
            size: u64::MAX,
            bytes: Bytes::from(vec![0; length]),
        })),
    };
    let lattice = "l".repeat(63);
    let bytes = answer(MAX_CHUNK_BYTES).encode(&lattice).unwrap();
    assert!(PeerReply::decode(&bytes, &lattice).is_ok());
    assert!(answer(MAX_CHUNK_BYTES + 1).encode(&lattice).is_err());
}
