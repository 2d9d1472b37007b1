//! State that a host publishes about itself, and its reaction to its own messages.

use weft_membership::message::{HostState, Load, MAX_COMPONENTS, Message};
use weft_membership::{Event, Rejection, RejectionCounts};

use weft_testkit::membership::{LATTICE, LocalHost, OWN, RemoteHost, contents, hosted};

#[test]
fn a_ready_host_publishes_frozen_while_its_view_is_frozen() {
    let mut local = LocalHost::settled();
    let state = |local: &mut LocalHost| local.membership.heartbeat(0, Load::default()).state;
    assert_eq!(state(&mut local), HostState::Joining);
    local.membership.set_state(HostState::Ready);
    assert_eq!(state(&mut local), HostState::Ready);
    local.disconnect();
    assert_eq!(state(&mut local), HostState::Frozen);
    assert_eq!(local.host(OWN).state, HostState::Frozen);
    // Leaving takes precedence over frozen.
    local.membership.set_state(HostState::Draining);
    assert_eq!(state(&mut local), HostState::Draining);
}

#[test]
fn a_frozen_view_still_updates_its_own_host() {
    let mut local = LocalHost::settled();
    local.disconnect();
    let ready = contents(&[], &["a"]);
    let news = local.membership.set_contents(ready.clone());
    assert!(news.expect("within limits").is_some());
    local.tick();
    assert_eq!(local.host(OWN).contents.as_deref(), Some(&ready));
}

#[test]
fn an_inventory_is_published_only_when_it_changes() {
    let mut local = LocalHost::settled();
    let membership = &mut local.membership;
    let one = contents(&[], &["a"]);
    let first = membership.set_contents(one.clone()).expect("short");
    let first = first.expect("changed");
    assert_eq!(membership.set_contents(one), Ok(None));
    assert_eq!(membership.inventory(), first, "unchanged");
    let second = membership
        .set_contents(contents(&[], &["b"]))
        .expect("short");
    assert!(second.expect("changed").origin.sequence > first.origin.sequence);

    let mut too_much = contents(&[], &[]);
    let revisions = 0..=MAX_COMPONENTS as u64;
    too_much.components = revisions.map(|revision| hosted("a", revision)).collect();
    let before = membership.inventory();
    assert!(membership.set_contents(too_much).is_err());
    assert_eq!(membership.inventory(), before);
}

#[test]
fn its_own_heartbeat_is_ignored_and_a_later_incarnation_supersedes_it() {
    let mut local = LocalHost::settled();
    let echo = local.membership.heartbeat(0, Load::default());
    let echo = local.membership.on_heartbeat(local.now, echo);
    assert_eq!(echo, Err(Rejection::Own));
    let earlier = RemoteHost::with(OWN, 4, contents(&[], &[])).heartbeat();
    let earlier = local.membership.on_heartbeat(local.now, earlier);
    assert_eq!(earlier, Err(Rejection::Own));
    local.tick();
    assert_eq!(local.take_events(), []);

    let later = RemoteHost::with(OWN, 6, contents(&[], &[])).heartbeat();
    let later = local.membership.on_heartbeat(local.now, later);
    assert_eq!(later, Err(Rejection::Own));
    local.tick();
    let incarnation = 6;
    assert_eq!(local.take_events(), [Event::Superseded { incarnation }]);
    let later = RemoteHost::with(OWN, 7, contents(&[], &[])).heartbeat();
    let later = local.membership.on_heartbeat(local.now, later);
    assert_eq!(later, Err(Rejection::Own));
    local.tick();
    assert_eq!(local.take_events(), [], "it is reported once");
    assert_eq!(local.membership.view().hosts().len(), 1);
}

#[test]
fn rejected_messages_are_counted_by_reason() {
    let good = Message::Heartbeat(RemoteHost::new(1).heartbeat());
    let bytes = good.encode(LATTICE).expect("short");
    let newer = [&[2], &bytes[1..]].concat();
    let unknown = [&bytes[..1], &[1], &bytes[2..]].concat();
    let foreign = good.encode("other").expect("short");
    let cases: [(&[u8], Result<(), Rejection>); 7] = [
        (&[], Err(Rejection::Malformed)),
        (&bytes[..20], Err(Rejection::Malformed)),
        (&newer, Err(Rejection::Version)),
        (&unknown, Err(Rejection::Kind)),
        (&foreign, Err(Rejection::Lattice)),
        (&bytes, Ok(())),
        (&bytes, Err(Rejection::Replayed)),
    ];
    let mut local = LocalHost::settled();
    assert_eq!(*local.membership.rejections(), RejectionCounts::default());
    for (bytes, expected) in cases {
        let taken = local.membership.on_bytes(local.now, bytes);
        assert_eq!(taken.map(drop), expected);
    }
    let rejections = local.membership.rejections();
    assert_eq!(
        rejections.to_string(),
        "malformed: 2, version: 1, kind: 1, lattice: 1, replayed: 1"
    );
}
