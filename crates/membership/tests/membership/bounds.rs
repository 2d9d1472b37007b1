//! What is remembered at most, whatever comes in.

use std::sync::Arc;

use weft_membership::message::{
    Contents, Heartbeat, HostState, Inventory, InventoryHash, Load, MAX_COMPONENTS, Origin,
};
use weft_membership::{
    Change, Event, FORGET_AFTER, HOLDINGS_MAX, HOSTS_MAX, HostId, Ignored, Membership,
};

use weft_testkit::membership::{SECOND, Sender, Watcher, holding, id};

fn stranger(number: usize) -> HostId {
    let mut key = [0xee; 32];
    key[..8].copy_from_slice(&(number as u64).to_be_bytes());
    HostId::from_key(key)
}

fn origin(number: usize) -> Origin {
    Origin {
        host: stranger(number),
        incarnation: 1,
        sequence: 1,
    }
}

fn heartbeat(number: usize) -> Heartbeat {
    Heartbeat {
        origin: origin(number),
        sent_ms: 0,
        state: HostState::Ready,
        load: Load::default(),
        inventory: InventoryHash::default(),
    }
}

fn hear(watcher: &mut Watcher, number: usize) -> Result<(), Ignored> {
    watcher
        .membership
        .on_heartbeat(watcher.now, heartbeat(number))
}

fn count(membership: &Membership) -> usize {
    membership.view().hosts().len()
}

#[test]
fn a_flood_of_strangers_is_bounded_and_counted() {
    let mut watcher = Watcher::settled();
    let mut friend = Sender::new(1);
    watcher.hear(&mut friend);
    for number in 1..HOSTS_MAX {
        assert_eq!(hear(&mut watcher, number), Ok(()));
    }
    for number in HOSTS_MAX..HOSTS_MAX + 10 {
        assert_eq!(hear(&mut watcher, number), Err(Ignored::Full));
    }
    watcher.hear(&mut friend);
    assert_eq!(count(&watcher.membership), HOSTS_MAX + 1, "and this one");
    assert_eq!(watcher.membership.tally().count(Ignored::Full), 10);
}

#[test]
fn who_is_dead_for_longest_makes_room() {
    let mut watcher = Watcher::settled();
    let (mut gone, mut friend) = (Sender::new(1), Sender::new(2));
    watcher.run_with(&mut [&mut gone, &mut friend], 1);
    watcher.run_with(&mut [&mut friend], 4);
    for number in 2..HOSTS_MAX {
        assert_eq!(hear(&mut watcher, number), Ok(()));
    }
    watcher.tick();
    watcher.take_events();
    assert_eq!(hear(&mut watcher, HOSTS_MAX), Ok(()));
    watcher.tick();
    assert_eq!(watcher.membership.view().host(id(1)), None);
    let forgotten = Event::Host {
        host: id(1),
        change: Change::Forgotten,
    };
    assert!(watcher.events.contains(&forgotten));
    assert_eq!(hear(&mut watcher, HOSTS_MAX + 1), Err(Ignored::Full));
}

#[test]
fn the_dead_are_remembered_for_a_while_and_then_no_more() {
    let mut watcher = Watcher::settled();
    let mut other = Sender::new(1);
    watcher.hear(&mut other);
    watcher.run(FORGET_AFTER);
    assert!(!watcher.host(1).is_alive());
    watcher.run(SECOND * 4);
    assert_eq!(watcher.membership.view().host(id(1)), None);
}

#[test]
fn components_are_bounded_over_all_inventories() {
    let components = (0..MAX_COMPONENTS as u64).map(|revision| holding("a", revision));
    let full = Arc::new(Contents {
        components: components.collect(),
        ..Contents::default()
    });
    let mut watcher = Watcher::settled();
    let mut learn = |number: usize| {
        hear(&mut watcher, number).expect("there is room for the host");
        let inventory = Inventory {
            origin: origin(number),
            contents: full.clone(),
        };
        watcher.membership.on_inventory(watcher.now, inventory)
    };
    let fit = HOLDINGS_MAX / MAX_COMPONENTS;
    for number in 1..=fit {
        assert_eq!(learn(number), Ok(()));
    }
    assert_eq!(learn(fit + 1), Err(Ignored::Full));

    // A new life of one of them has nothing, which makes room for another.
    let mut restarted = heartbeat(1);
    restarted.origin.incarnation = 2;
    let taken = watcher.membership.on_heartbeat(watcher.now, restarted);
    assert_eq!(taken, Ok(()));
    let inventory = Inventory {
        origin: origin(fit + 1),
        contents: full,
    };
    let taken = watcher.membership.on_inventory(watcher.now, inventory);
    assert_eq!(taken, Ok(()));
}
