//! Messages of the control protocol, as bytes.

use proptest::prelude::*;

use super::*;

fn request(path: &str, body: &[u8]) -> Message {
    Message::Request(Request {
        method: "POST".to_owned(),
        path: path.to_owned(),
        body: Bytes::copy_from_slice(body),
    })
}

fn examples() -> [Message; 4] {
    [
        Message::Seek,
        Message::Found(HostId::from_key([7; 32])),
        request("/v1/drain", b"{\"undo\":true}"),
        Message::Answer(Answer {
            status: 404,
            body: Bytes::from_static(b"{}"),
        }),
    ]
}

#[test]
fn a_message_is_read_as_it_is_written() {
    for message in examples() {
        let bytes = Bytes::from(message.encode("demo").unwrap());
        assert_eq!(Message::decode(&bytes, "demo"), Ok(message));
    }
}

#[test]
fn the_bytes_of_a_request_are_as_they_are_written_down() {
    let bytes = request("/v1/drain", b"{}").encode("demo").unwrap();
    let expected = "0162000464656d6f04504f5354092f76312f647261696e027b7d";
    assert_eq!(hex::encode(bytes), expected);
}

#[test]
fn what_is_for_others_or_cut_off_is_refused() {
    for message in examples() {
        let bytes = message.encode("demo").unwrap();
        let decode = |bytes: &[u8]| Message::decode(&Bytes::copy_from_slice(bytes), "demo");
        let other = Message::decode(&Bytes::from(bytes.clone()), "other");
        assert!(matches!(other, Err(FrameError::Lattice { .. })));
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err());
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(decode(&longer).is_err());
        let with = |index: usize, byte: u8| {
            let mut changed = bytes.clone();
            changed[index] = byte;
            decode(&changed)
        };
        assert_eq!(
            with(0, 2),
            Err(FrameError::Version {
                found: 2,
                supported: VERSION
            })
        );
        assert_eq!(
            with(1, 64),
            Err(FrameError::Kind {
                found: 64,
                supported: VERSION
            })
        );
    }
}

#[test]
fn what_is_too_long_is_neither_written_nor_read() {
    let long = "x".repeat(MAX_PATH_BYTES + 1);
    assert!(request(&long, b"").encode("demo").is_err());
    assert!(
        request("/", &vec![0; MAX_BODY_BYTES + 1])
            .encode("demo")
            .is_err()
    );
    assert!(Message::Seek.encode(&long).is_err());
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        for kind in Kind::ALL {
            if let [version, number, ..] = &mut bytes[..] {
                (*version, *number) = (VERSION, kind as u8);
            }
            let _ = Message::decode(&Bytes::copy_from_slice(&bytes), "demo");
        }
    }
}
