//! What a host says of itself, and what it hears of itself.

use weft_membership::message::{HostState, Load, MAX_COMPONENTS, Message};
use weft_membership::{Event, Ignored, Tally};

use weft_testkit::membership::{LATTICE, OWN, Sender, Watcher, contents, holding};

#[test]
fn a_host_that_works_says_that_it_is_frozen_while_its_view_is_held() {
    let mut watcher = Watcher::settled();
    let state = |watcher: &mut Watcher| watcher.membership.heartbeat(0, Load::default()).state;
    assert_eq!(state(&mut watcher), HostState::Joining);
    watcher.membership.set_state(HostState::Ready);
    assert_eq!(state(&mut watcher), HostState::Ready);
    watcher.disconnect();
    assert_eq!(state(&mut watcher), HostState::Frozen);
    assert_eq!(watcher.host(OWN).state, HostState::Frozen);
    // That it leaves is more than that it is frozen.
    watcher.membership.set_state(HostState::Draining);
    assert_eq!(state(&mut watcher), HostState::Draining);
}

#[test]
fn a_frozen_host_still_sees_what_it_has_itself() {
    let mut watcher = Watcher::settled();
    watcher.disconnect();
    let ready = contents(&[], &["a"]);
    let news = watcher.membership.set_contents(ready.clone());
    assert!(news.expect("within the bounds").is_some());
    watcher.tick();
    assert_eq!(watcher.host(OWN).contents.as_deref(), Some(&ready));
}

#[test]
fn an_inventory_is_sent_when_it_is_another_one_and_not_otherwise() {
    let mut watcher = Watcher::settled();
    let membership = &mut watcher.membership;
    let one = contents(&[], &["a"]);
    let first = membership.set_contents(one.clone()).expect("short");
    let first = first.expect("it is news");
    assert_eq!(membership.set_contents(one), Ok(None));
    assert_eq!(membership.inventory(), first, "who asks gets the same");
    let second = membership
        .set_contents(contents(&[], &["b"]))
        .expect("short");
    assert!(second.expect("news").origin.sequence > first.origin.sequence);

    let mut too_much = contents(&[], &[]);
    let revisions = 0..=MAX_COMPONENTS as u64;
    too_much.components = revisions.map(|revision| holding("a", revision)).collect();
    let before = membership.inventory();
    assert!(membership.set_contents(too_much).is_err());
    assert_eq!(membership.inventory(), before);
}

#[test]
fn its_own_heartbeat_is_no_news_and_a_later_life_of_it_is_an_alarm() {
    let mut watcher = Watcher::settled();
    let echo = watcher.membership.heartbeat(0, Load::default());
    let echo = watcher.membership.on_heartbeat(watcher.now, echo);
    assert_eq!(echo, Err(Ignored::Own));
    let earlier = Sender::with(OWN, 4, contents(&[], &[])).heartbeat();
    let earlier = watcher.membership.on_heartbeat(watcher.now, earlier);
    assert_eq!(earlier, Err(Ignored::Own));
    watcher.tick();
    assert_eq!(watcher.take_events(), []);

    let later = Sender::with(OWN, 6, contents(&[], &[])).heartbeat();
    let later = watcher.membership.on_heartbeat(watcher.now, later);
    assert_eq!(later, Err(Ignored::Own));
    watcher.tick();
    let incarnation = 6;
    assert_eq!(watcher.take_events(), [Event::Superseded { incarnation }]);
    assert_eq!(watcher.membership.view().hosts().len(), 1);
}

#[test]
fn each_refused_message_is_counted_by_its_reason() {
    let good = Message::Heartbeat(Sender::new(1).heartbeat());
    let bytes = good.encode(LATTICE).expect("short");
    let newer = [&[2], &bytes[1..]].concat();
    let unknown = [&bytes[..1], &[1], &bytes[2..]].concat();
    let foreign = good.encode("other").expect("short");
    let cases: [(&[u8], Result<(), Ignored>); 7] = [
        (&[], Err(Ignored::Malformed)),
        (&bytes[..20], Err(Ignored::Malformed)),
        (&newer, Err(Ignored::Version)),
        (&unknown, Err(Ignored::Kind)),
        (&foreign, Err(Ignored::Lattice)),
        (&bytes, Ok(())),
        (&bytes, Err(Ignored::Replayed)),
    ];
    let mut watcher = Watcher::settled();
    assert_eq!(*watcher.membership.tally(), Tally::default());
    for (bytes, expected) in cases {
        let taken = watcher.membership.on_bytes(watcher.now, bytes);
        assert_eq!(taken.map(drop), expected);
    }
    let tally = watcher.membership.tally();
    assert_eq!(
        tally.to_string(),
        "malformed: 2, version: 1, kind: 1, lattice: 1, replayed: 1"
    );
}
