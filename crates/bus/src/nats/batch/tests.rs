use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Scope;

/// The default payload limit of a NATS server.
const PAYLOAD_MAX: usize = 1 << 20;

fn scope() -> Scope {
    Scope::new("test").unwrap()
}

fn request(host: &str, number: u64, payload: &[u8]) -> Outgoing {
    let subject = scope().subject(&["calls", host]).unwrap();
    Outgoing {
        destination: Destination::Request { subject, number },
        payload: Bytes::copy_from_slice(payload),
    }
}

fn message(subject: Subject, reply: Option<Subject>, payload: &[u8]) -> Outgoing {
    Outgoing {
        destination: Destination::Subject { subject, reply },
        payload: Bytes::copy_from_slice(payload),
    }
}

fn answer(inbox: &str, number: u64, payload: &[u8]) -> Outgoing {
    message(scope().answer(inbox, number), None, payload)
}

fn echo() -> Outgoing {
    let subject = scope().answer("own", 7);
    Outgoing {
        destination: Destination::Echo { subject },
        payload: Bytes::new(),
    }
}

fn news(payload: &[u8]) -> Outgoing {
    message(scope().subject(&["news"]).unwrap(), None, payload)
}

/// The messages in a group, as a receiver decodes them.
fn entries(group: &MessageGroup) -> Vec<(Option<u64>, Bytes)> {
    if !group.is_batch() {
        return vec![(group.first.number(), group.first.payload.clone())];
    }
    let (headers, payload) = group.encode_batch().unwrap();
    assert!(is_batch(&headers));
    let entries = read(&headers, &payload).unwrap();
    let entries = entries.into_iter();
    entries
        .map(|(number, payload)| (Some(number), payload))
        .collect()
}

#[test]
fn messages_to_one_recipient_are_grouped_and_no_others() {
    let large = vec![0; BATCHED_BYTES_MAX + 1];
    let channel = scope().subject(&["lines"]).unwrap();
    let messages = [
        request("a", 1, b"one"),
        answer("north", 7, b"yes"),
        request("b", 2, b"two"),
        request("a", 3, b"three"),
        news(b"first"),
        answer("north", 9, b""),
        request("a", 4, &large),
        answer("south", 9, b"no"),
        news(b"second"),
        message(scope().answer("north", 8), Some(channel), b"and you"),
        request("a", 5, b"five"),
    ];
    let groups = group_messages(messages, PAYLOAD_MAX);
    let numbers: Vec<Vec<_>> = groups
        .iter()
        .map(|group| {
            entries(group)
                .into_iter()
                .map(|(number, _)| number)
                .collect()
        })
        .collect();
    let expected = vec![
        vec![Some(1), Some(3), Some(5)],
        vec![Some(7), Some(9)],
        vec![Some(2)],
        vec![None],
        vec![Some(4)],
        vec![Some(9)],
        vec![None],
        vec![Some(8)],
    ];
    assert_eq!(numbers, expected);
}

#[test]
fn an_echo_never_overtakes_earlier_messages() {
    let messages = [echo(), news(b"first"), answer("own", 3, b"yes"), echo()];
    let groups = group_messages(messages.clone(), PAYLOAD_MAX);
    let sent: Vec<_> = groups.into_iter().map(|group| group.first).collect();
    assert_eq!(sent, messages);
}

#[test]
fn a_batch_of_another_version_is_rejected() {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER, "2");
    let found = "2".to_owned();
    let error = read(&headers, &Bytes::new()).unwrap_err();
    assert_eq!(error, BatchError::Version { found });
}

#[test]
fn a_batch_with_a_wrong_or_excessive_count_is_rejected() {
    let group = group_messages([request("a", 1, b"x"), request("a", 2, b"y")], PAYLOAD_MAX);
    let (headers, payload) = group[0].encode_batch().unwrap();
    let headers = &headers;
    for count in [0, 1, 3, 127] {
        let mut payload = payload.to_vec();
        payload[0] = count;
        let error = read(headers, &payload.into()).unwrap_err();
        assert!(matches!(error, BatchError::Malformed(_)), "{count}");
    }
    let mut many = Vec::new();
    let mut encoder = Encoder::new(&mut many, BATCH_BYTES_MAX);
    encoder.list(BATCH_MESSAGES_MAX + 1).unwrap();
    many.resize(many.len() + 2 * (BATCH_MESSAGES_MAX + 1), 0);
    assert!(read(headers, &many.into()).is_err());
    assert!(read(headers, &vec![0; BATCH_BYTES_MAX + 1].into()).is_err());
}

#[test]
fn the_specification_has_the_same_values() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lattice.md");
    let document = std::fs::read_to_string(file).unwrap();
    let groups = group_messages(
        [request("a", 7, b"a"), request("a", 300, b"bc")],
        PAYLOAD_MAX,
    );
    let (_, payload) = groups[0].encode_batch().unwrap();
    let bytes: Vec<_> = payload.iter().map(|byte| format!("{byte:02x}")).collect();
    let rows = [
        ("BATCHED_BYTES_MAX", BATCHED_BYTES_MAX),
        ("BATCH_BYTES_MAX", BATCH_BYTES_MAX),
        ("BATCH_MESSAGES_MAX", BATCH_MESSAGES_MAX),
    ];
    let rows = rows.map(|(name, value)| format!("| `{name}` | {value} |"));
    for expected in rows
        .into_iter()
        .chain([bytes.join(" "), format!("`{HEADER}: {VERSION}`")])
    {
        assert!(
            document.contains(&expected),
            "`docs/lattice.md` lacks `{expected}`"
        );
    }
}

fn any_message() -> impl Strategy<Value = Outgoing> {
    let size = prop_oneof![
        8 => 0..300_usize,
        2 => BATCHED_BYTES_MAX - 100..BATCHED_BYTES_MAX + 2,
    ];
    (0..6_u8, any::<u64>(), size).prop_map(|(to, number, size)| {
        let payload: Vec<u8> = (0..size).map(|index| index.to_le_bytes()[0] ^ to).collect();
        match to {
            0 => request("a", number, &payload),
            1 => request("b", number, &payload),
            2 => answer("north", number, &payload),
            3 => answer("south", number, &payload),
            4 => news(&payload),
            _ => message(
                scope().subject(&["lines"]).unwrap(),
                Some(scope().subject(&["lines", "back"]).unwrap()),
                &payload,
            ),
        }
    })
}

/// The recipient of a message from the server's point of view.
fn recipient(message: &Outgoing) -> String {
    match &message.destination {
        Destination::Request { subject, .. }
        | Destination::Subject { subject, .. }
        | Destination::Echo { subject } => {
            let inbox = subject.as_answer().map(|(inbox, _)| inbox.to_owned());
            inbox.unwrap_or_else(|| subject.to_string())
        }
    }
}

proptest! {
    #[test]
    fn everything_arrives_once_and_small_messages_to_one_receiver_in_order(
        messages in vec(any_message(), 0..300),
        payload_max in BATCHED_BYTES_MAX + 2..PAYLOAD_MAX,
    ) {
        let groups = group_messages(messages.clone(), payload_max);
        let mut arrived: Vec<(String, Option<u64>, Bytes)> = Vec::new();
        for group in &groups {
            if group.is_batch() {
                let (_, payload) = group.encode_batch().unwrap();
                prop_assert!(payload.len() + HEADER_BYTES <= payload_max);
                prop_assert!(payload.len() <= BATCH_BYTES_MAX);
            }
            let to = recipient(&group.first);
            let taken = entries(group).into_iter();
            arrived.extend(taken.map(|(number, payload)| (to.clone(), number, payload)));
        }
        let sent = messages.iter().map(|message| {
            (recipient(message), message.number(), message.payload.clone())
        });
        let sent: Vec<_> = sent.collect();
        // Large messages keep their order among themselves, and so do small ones.
        for large in [false, true] {
            for to in ["a", "b", "north", "south", "news", "lines"] {
                let of = |all: &[(String, Option<u64>, Bytes)]| -> Vec<_> {
                    let all = all.iter().filter(|(found, _, payload)| {
                        found.ends_with(to) && (payload.len() > BATCHED_BYTES_MAX) == large
                    });
                    all.cloned().collect()
                };
                prop_assert_eq!(of(&arrived), of(&sent));
            }
        }
        prop_assert_eq!(arrived.len(), sent.len());
    }

    #[test]
    fn any_bytes_are_decoded_or_rejected(bytes in vec(any::<u8>(), 0..2_000)) {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, VERSION);
        let payload = Bytes::from(bytes);
        if let Ok(entries) = read(&headers, &payload) {
            let taken: usize = entries.iter().map(|(_, payload)| payload.len()).sum();
            prop_assert!(taken < payload.len() && entries.len() <= BATCH_MESSAGES_MAX);
        }
    }
}
