//! Inventories: when one is asked for, and when not.

use std::time::Duration;

use weft_membership::message::{Contents, Message};
use weft_membership::{
    ASK_AFTER, ASK_AGAIN_AFTER, ASKS_MAX, BusStatus, Change, Event, HostId, Ignored,
};

use weft_testkit::membership::{LATTICE, OWN, Sender, Watcher, at_ms, contents, id};

fn asked(watcher: &mut Watcher) -> Vec<HostId> {
    let asks = watcher.membership.asks(watcher.now);
    asks.into_iter().map(|(host, _)| host).collect()
}

#[test]
fn an_inventory_that_does_not_come_is_asked_for_and_again_after_a_while() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::with(1, 1, contents(&[], &["a"]));
    watcher.hear(&mut other);
    assert_eq!(asked(&mut watcher), [], "it may be under way");
    watcher.run(ASK_AFTER);
    assert_eq!(asked(&mut watcher), [id(1)]);
    assert_eq!(asked(&mut watcher), []);
    watcher.run_with(&mut [&mut other], ASK_AGAIN_AFTER.as_secs());
    assert_eq!(asked(&mut watcher), [id(1)]);
    watcher.learn(other.inventory());
    watcher.run_with(&mut [&mut other], 10);
    assert_eq!(asked(&mut watcher), []);
    let known = watcher.host(1).contents.clone().expect("it is known");
    assert_eq!(*known, contents(&[], &["a"]));
}

#[test]
fn a_change_that_was_missed_is_noticed_by_its_hash() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::new(1);
    watcher.hear(&mut other);
    watcher.learn(other.inventory());
    let missed = other.change(contents(&[], &["a"]));
    watcher.hear(&mut other);
    watcher.run(ASK_AFTER);
    assert_eq!(asked(&mut watcher), [id(1)]);
    let old = watcher.host(1).contents.clone().expect("it is known");
    assert_eq!(*old, Contents::default(), "the old one holds until then");
    watcher.take_events();
    watcher.learn(missed);
    let changed = Event::Host {
        host: id(1),
        change: Change::Inventory,
    };
    assert_eq!(watcher.take_events(), [changed]);
}

#[test]
fn nobody_who_is_dead_is_asked_nor_anybody_while_the_bus_is_away() {
    let mut watcher = Watcher::settled();
    let (mut dead, mut lives) = (Sender::new(1), Sender::new(2));
    watcher.hear(&mut dead);
    watcher.run_with(&mut [&mut lives], 5);
    assert_eq!(asked(&mut watcher), [id(2)]);
    watcher.run_with(&mut [&mut lives], 5);
    watcher
        .membership
        .on_bus(watcher.now, BusStatus::Disconnected);
    assert_eq!(asked(&mut watcher), []);
}

#[test]
fn a_large_lattice_is_asked_bit_by_bit() {
    let mut watcher = Watcher::settled();
    for key in 1..=200 {
        watcher.hear(&mut Sender::new(key));
    }
    watcher.run(ASK_AFTER);
    let mut all = Vec::new();
    loop {
        let some = asked(&mut watcher);
        if some.is_empty() {
            break;
        }
        assert!(some.len() <= ASKS_MAX);
        all.extend(some);
    }
    assert_eq!(all, (1..=200).map(id).collect::<Vec<_>>());
}

#[test]
fn a_question_is_handed_back_to_be_answered() {
    let mut watcher = Watcher::settled();
    let mut asking = Watcher::unconnected(Contents::default());
    asking.connect();
    asking.run(Duration::from_secs(2));
    let mut other = Sender::new(1);
    asking.hear(&mut other);
    asking.run(ASK_AFTER);
    let asks = asking.membership.asks(asking.now);
    let [(host, ask)] = &asks[..] else {
        panic!("{asks:?}");
    };
    assert_eq!((*host, ask.origin.host), (id(1), id(OWN)));
    let bytes = Message::Ask(*ask).encode(LATTICE).expect("short");
    // It is its own question here, as it would be if the bus echoed it.
    assert_eq!(
        watcher.membership.on_bytes(watcher.now, &bytes),
        Err(Ignored::Own)
    );
    let mut answering = weft_membership::Membership::new(
        weft_membership::Identity {
            lattice: LATTICE.to_owned(),
            host: id(1),
            incarnation: 1,
        },
        Contents::default(),
    )
    .expect("within the bounds");
    assert_eq!(answering.on_bytes(at_ms(0), &bytes), Ok(Some(*ask)));
    asking.learn(answering.inventory());
    assert!(asking.host(1).contents.is_some());
}

#[test]
fn a_new_life_begins_without_the_inventory_of_the_old_one() {
    let mut watcher = Watcher::settled();
    let mut first = Sender::with(1, 1, contents(&[], &["a"]));
    let mut second = Sender::with(1, 2, contents(&[], &["a"]));
    let early = watcher
        .membership
        .on_inventory(watcher.now, first.inventory());
    assert_eq!(early, Err(Ignored::Early), "heartbeats come first");
    watcher.hear(&mut first);
    watcher.learn(first.inventory());
    let early = watcher
        .membership
        .on_inventory(watcher.now, second.inventory());
    assert_eq!(early, Err(Ignored::Early));
    watcher.hear(&mut second);
    assert_eq!(watcher.host(1).contents, None);
    let older = watcher
        .membership
        .on_inventory(watcher.now, first.inventory());
    assert_eq!(older, Err(Ignored::Older));
    let older = watcher
        .membership
        .on_heartbeat(watcher.now, first.heartbeat());
    assert_eq!(older, Err(Ignored::Older));
    watcher.learn(second.inventory());
    assert!(watcher.host(1).contents.is_some());
}
