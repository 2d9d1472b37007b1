//! Someone on the bus who is no host of the lattice, and sends a host's frames as they please.

use weft_tests::{NatsServer, PATIENCE, RawMessage, RawNats, eventually, finish, start_nats};

use super::{ADD, Apart};

/// Where answers to the attacker would go.
const INBOX: &str = "weft-inbox.test.attacker";

/// How many frames of each kind: more than a log should have lines for.
const REPEATS: usize = 50;

/// A call as a host sends it.
fn overheard(nats: &NatsServer, apart: &Apart) -> RawMessage {
    let mut ear = RawNats::connect(nats.address());
    ear.subscribe("weft.test.calls.>");
    let call = apart.spawn_call(ADD);
    let message = ear.next_message();
    finish(call, PATIENCE).expect_code(0);
    message
}

/// The frame with other bytes from a place on.
fn with(frame: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = frame.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

/// A frame that announces a large one: of `total` bytes, which a host keeps that has this key.
fn held(key: u8, total: [u8; 4], first: &[u8]) -> Vec<u8> {
    let mut frame = vec![1, 11, 0, 32];
    frame.extend([key; 32]);
    frame.push(16);
    frame.extend([9; 16]);
    frame.extend(total);
    frame.push(u8::try_from(first.len() & 0x7f).unwrap() | 0x80);
    frame.push(u8::try_from(first.len() >> 7).unwrap());
    frame.extend(first);
    frame
}

/// How a call begins that takes so many bytes, as far as its payload.
fn beginning(call: &[u8], total: usize) -> Vec<u8> {
    // A length of one byte and two numbers of one byte are at the end.
    let mut head = call[..call.len() - 3].to_vec();
    let length = total - head.len() - 4;
    let group = |index: usize| u8::try_from(length >> (7 * index) & 0x7f).unwrap();
    head.extend([group(0) | 0x80, group(1) | 0x80, group(2) | 0x80, group(3)]);
    head
}

/// What is no frame for a host's calls, whoever sends it.
fn no_frames(call: &[u8]) -> Vec<Vec<u8>> {
    // 2^26 and the largest total, by their encodings.
    let (large, largest) = ([0x80, 0x80, 0x80, 0x20], [0xff, 0xff, 0xff, 0x7f]);
    let mut frames = vec![
        Vec::new(),
        vec![1],
        // Of another version, of no kind, and a heartbeat of whatever lattice.
        with(call, 0, &[2]),
        with(call, 1, &[200]),
        with(call, 1, &[64]),
        // A reply, which is sent elsewhere, and more of a frame that nobody keeps.
        vec![1, 2, 0, 1, 0, 0, 0],
        [&[1, 12, 0, 16][..], &[9; 16], &[0, 100]].concat(),
        // Lengths that are lies, and all that the server lets through.
        with(call, 2, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        vec![0xff; 1 << 20],
        [&[1, 1][..], &vec![0xff; (1 << 20) - 2]].concat(),
        // Large frames whose beginning is not there, or not one of a call.
        held(7, large, &[]),
        held(7, largest, call),
        held(7, large, call),
        held(7, large, &beginning(call, 1 << 26)),
    ];
    frames.extend(
        (2..call.len())
            .step_by(7)
            .map(|length| call[..length].to_vec()),
    );
    frames
}

#[test]
fn frames_that_are_none_do_a_host_no_harm_and_are_counted() {
    let nats = start_nats();
    let apart = Apart::start(&nats, 1, "");
    let call = overheard(&nats, &apart);
    let mut attacker = RawNats::connect(nats.address());
    let frames = no_frames(&call.payload);
    let fetches = call.subject.replace(".calls.", ".held.");
    for round in 0..REPEATS {
        for (number, frame) in frames.iter().enumerate() {
            let inbox = format!("{INBOX}.{round}-{number}");
            attacker.publish(&call.subject, Some(&inbox), frame);
            attacker.publish(&call.subject, None, frame);
            attacker.publish(&fetches, Some(&inbox), frame);
        }
        // The same call again, one that nobody could be answered, and one to another lattice's inbox.
        attacker.publish(&call.subject, call.reply.as_deref(), &call.payload);
        attacker.publish(&call.subject, None, &call.payload);
        attacker.publish(&call.subject, Some("weft-inbox.other.1"), &call.payload);
    }
    attacker.flush();
    apart.wait_for_answer(ADD, "42");
    let exporter = &apart.exporters[0];
    let expected = [
        "malformed: ".to_owned(),
        "version: ".to_owned(),
        "kind: ".to_owned(),
        "unexpected: ".to_owned(),
        format!("replayed: {REPEATS}"),
        "unanswerable: ".to_owned(),
    ];
    eventually("all are counted in the log", PATIENCE, || {
        let log = exporter.log();
        let line = log
            .lines()
            .rfind(|line| line.contains("frames rejected since"));
        let line = line.ok_or("no frame was rejected")?;
        match expected.iter().find(|text| !line.contains(*text)) {
            None => Ok(()),
            Some(missing) => Err(format!("no `{missing}` in {line}")),
        }
    });
    let log = exporter.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("frames rejected since"));
    assert!(lines.count() < 10, "the log is not flooded:\n{log}");
}

#[test]
fn a_call_that_is_sent_again_does_not_run_again() {
    let nats = start_nats();
    let apart = Apart::start(&nats, 1, "");
    let call = overheard(&nats, &apart);
    let (before, _) = super::calls_at(&apart.exporters[0]);
    let mut attacker = RawNats::connect(nats.address());
    for _ in 0..REPEATS {
        attacker.publish(&call.subject, call.reply.as_deref(), &call.payload);
    }
    attacker.flush();
    // What comes after them on the same way has been answered, so they were looked at.
    attacker.subscribe("weft-inbox.test.attacker.>");
    let last = format!("{INBOX}.last");
    attacker.publish(&call.subject, Some(&last), &call.payload);
    let answer = attacker.next_message();
    assert_eq!(answer.subject, last);
    let (after, _) = super::calls_at(&apart.exporters[0]);
    assert_eq!(after, before + 1, "only the one that nobody knew before");
}
