//! Golden bytes of an example of each message, in `tests/golden`. A changed file means that hosts
//! of two releases no longer understand each other, which requires a new version.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_membership::message::{
    Contents, Envelope, Failure, Heartbeat, HostCondition, HostState, Inventory, InventoryRequest,
    Load, Message, Origin, Readiness, Revision, StoreId,
};

use bytes::Bytes;
use weft_lattice_config::Digest;
use weft_state::desired::Key;
use weft_state::peers::message::{Listed, Part, PeerReply, PeerRequest, ReplyBody, RequestBody};

use weft_harness::golden::{compare, hex_dump};
use weft_testkit::membership::{LATTICE, contents, hosted, id};

/// An example message with a golden file.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    about: &'static str,
    authenticator: &'static [u8],
    message: Message,
}

pub(crate) fn examples() -> [Example; 4] {
    let origin = |sequence| Origin {
        host: id(0xaa),
        incarnation: 1_800_000_000_000,
        sequence,
    };
    let contents = example_contents();
    let heartbeat = Message::Heartbeat(Heartbeat {
        origin: origin(300),
        sent_ms: 1_800_000_300_000,
        state: HostState::Ready,
        load: Load {
            running: 5,
            limit: 200,
        },
        inventory: contents.hash().expect("short"),
    });
    let inventory = Message::Inventory(Inventory {
        origin: origin(2),
        contents: Arc::new(contents),
    });
    let example = |name, about, authenticator, message| Example {
        name,
        about,
        authenticator,
        message,
    };
    let request = Message::InventoryRequest(InventoryRequest { origin: origin(7) });
    [
        example("heartbeat", "a host that works", &[], heartbeat.clone()),
        example(
            "heartbeat-authenticated",
            "the same with an authenticator, here of three bytes",
            &[0xa1, 0xa2, 0xa3],
            heartbeat,
        ),
        example("inventory", "what that host has", &[], inventory),
        example("ask", "that host asks another one", &[], request),
    ]
}

fn example_contents() -> Contents {
    let mut contents = contents(&[("cloud", "one"), ("zone", "a")], &["cart"]);
    contents.name = "north".to_owned();
    contents.release = "0.1.0".to_owned();
    contents.capacity = Some(500);
    contents.stores.push(StoreId {
        app: "shop".parse().expect("a name"),
        provider: "orders".parse().expect("a name"),
    });
    let mut preparing = hosted("cart", 2);
    preparing.readiness = Readiness::Preparing;
    contents.components.push(preparing);
    contents.failures.push(Failure {
        app: "blog".parse().expect("a name"),
        revision: Revision(4),
        reason: "no disk".to_owned(),
    });
    contents.conditions.push(HostCondition::BucketUnavailable);
    contents
}

#[test]
fn messages_encode_to_the_golden_bytes() {
    for example in examples() {
        let bytes = example.message.encode_with(LATTICE, example.authenticator);
        assert_golden(
            example.name,
            example.about,
            &bytes.expect("within the bounds"),
        );
    }
}

#[test]
fn golden_bytes_decode_to_the_messages() {
    for example in examples() {
        let text = golden_text(example.name);
        let lines = text.lines().map(|line| line.split('#').next());
        let digits: String = lines.flatten().flat_map(str::split_whitespace).collect();
        let bytes = hex::decode(digits).expect("hexadecimal digits");
        let envelope = Envelope::open(&bytes).expect("a message");
        assert_eq!(envelope.authenticator(), example.authenticator);
        assert_eq!(Message::read(&envelope, LATTICE), Ok(example.message));
    }
}

/// The messages of peers: the name of a file, its comment, and the bytes.
pub(crate) fn peer_examples() -> [(&'static str, &'static str, Vec<u8>); 4] {
    let origin = |host, sequence| Origin {
        host: id(host),
        incarnation: 1_800_000_000_000,
        sequence,
    };
    let key = |app| Key::new(&["apps", app]).unwrap();
    let digest = Digest::of(b"value");
    let list_ask = PeerRequest {
        origin: origin(0xaa, 8),
        asked: RequestBody::List {
            after: Some(key("blog")),
        },
    };
    let listed = Listed {
        key: key("shop"),
        digest: digest.clone(),
        size: 5,
    };
    let list = PeerReply {
        origin: origin(0xbb, 8),
        answered: ReplyBody::List {
            records: vec![listed],
            more: false,
        },
    };
    let bytes_ask = PeerRequest {
        origin: origin(0xaa, 9),
        asked: RequestBody::Bytes {
            digest,
            offset: 2,
            length: 3,
        },
    };
    let bytes = PeerReply {
        origin: origin(0xbb, 9),
        answered: ReplyBody::Bytes(Some(Part {
            size: 5,
            bytes: Bytes::from_static(b"lue"),
        })),
    };
    [
        (
            "list-ask",
            "that host asks for the records after that of the app `blog`",
            list_ask.encode(LATTICE).unwrap(),
        ),
        (
            "list",
            "another host has one, and no more",
            list.encode(LATTICE).unwrap(),
        ),
        (
            "bytes-ask",
            "that host asks for three bytes of it, after the first two",
            bytes_ask.encode(LATTICE).unwrap(),
        ),
        (
            "bytes",
            "there they are, of five",
            bytes.encode(LATTICE).unwrap(),
        ),
    ]
}

#[test]
fn questions_and_answers_of_peers_encode_to_the_golden_bytes() {
    for (name, about, bytes) in peer_examples() {
        assert_golden(name, about, &bytes);
    }
}

fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/messages");
    folder.join(format!("{name}.hex"))
}

/// Reads a golden file.
pub(crate) fn golden_text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_default()
}

#[track_caller]
fn assert_golden(name: &str, about: &str, bytes: &[u8]) {
    let compared = compare(&path(name), &hex_dump(about, bytes), env!("CARGO_PKG_NAME"));
    compared.unwrap_or_else(|difference| {
        panic!(
            "the bytes of `{name}` have changed, so hosts of two releases would not understand each \
             other; if that is intended, change the version too\n{difference}"
        )
    });
}
