//! Bounds of memory, for any input.

use std::sync::Arc;

use weft_membership::message::{
    Contents, Heartbeat, HostState, Inventory, InventoryHash, Load, MAX_COMPONENTS, Origin,
};
use weft_membership::{
    Change, DEAD_AFTER, DEAD_HOSTS_MAX, Event, FORGET_AFTER, FORGET_UNKNOWN_AFTER,
    HOSTED_COMPONENTS_MAX, HOSTS_MAX, HostId, Membership, Rejection,
};

use weft_testkit::membership::{LocalHost, RemoteHost, SECOND, hosted, id};

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

fn receive_heartbeat(local: &mut LocalHost, number: usize) -> Result<(), Rejection> {
    local.membership.on_heartbeat(local.now, heartbeat(number))
}

fn count(membership: &Membership) -> usize {
    membership.view().hosts().len()
}

#[test]
fn a_flood_of_unknown_hosts_is_bounded_and_counted() {
    let mut local = LocalHost::settled();
    let mut live = RemoteHost::new(1);
    local.receive_heartbeat(&mut live);
    for number in 1..HOSTS_MAX {
        assert_eq!(receive_heartbeat(&mut local, number), Ok(()));
    }
    for number in HOSTS_MAX..HOSTS_MAX + 10 {
        assert_eq!(receive_heartbeat(&mut local, number), Err(Rejection::Full));
    }
    local.receive_heartbeat(&mut live);
    assert_eq!(count(&local.membership), HOSTS_MAX + 1, "with this host");
    assert_eq!(local.membership.rejections().count(Rejection::Full), 10);
}

#[test]
fn the_longest_dead_host_makes_room() {
    let mut local = LocalHost::settled();
    let (mut dead, mut live) = (RemoteHost::new(1), RemoteHost::new(2));
    local.run_with(&mut [&mut dead, &mut live], 1);
    local.run_with(&mut [&mut live], 4);
    for number in 2..HOSTS_MAX {
        assert_eq!(receive_heartbeat(&mut local, number), Ok(()));
    }
    local.tick();
    local.take_events();
    assert_eq!(receive_heartbeat(&mut local, HOSTS_MAX), Ok(()));
    local.tick();
    assert_eq!(local.membership.view().host(id(1)), None);
    let forgotten = Event::Host {
        host: id(1),
        change: Change::Forgotten,
    };
    assert!(local.events.contains(&forgotten));
    assert_eq!(
        receive_heartbeat(&mut local, HOSTS_MAX + 1),
        Err(Rejection::Full)
    );
}

#[test]
fn dead_hosts_are_forgotten_after_a_while() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    local.receive_heartbeat(&mut other);
    local.receive_inventory(other.inventory());
    local.run(FORGET_AFTER);
    assert!(!local.host(1).is_alive());
    local.run(SECOND * 4);
    assert_eq!(local.membership.view().host(id(1)), None);
}

#[test]
fn forged_hosts_are_forgotten_soon_and_those_that_were_known_stay() {
    let mut local = LocalHost::settled();
    let mut known = RemoteHost::new(1);
    local.receive_heartbeat(&mut known);
    local.receive_inventory(known.inventory());
    // It is dead for longest.
    local.run(DEAD_AFTER + SECOND);
    for number in 2..HOSTS_MAX {
        assert_eq!(receive_heartbeat(&mut local, number), Ok(()));
    }
    local.run(DEAD_AFTER + SECOND);
    assert_eq!(
        count(&local.membership),
        DEAD_HOSTS_MAX + 1,
        "with this host"
    );
    assert!(!local.host(1).is_alive());
    local.run(FORGET_UNKNOWN_AFTER);
    assert_eq!(count(&local.membership), 2);
    assert!(!local.host(1).is_alive());
}

#[test]
fn components_are_bounded_over_all_inventories() {
    let components = (0..MAX_COMPONENTS as u64).map(|revision| hosted("a", revision));
    let full = Arc::new(Contents {
        components: components.collect(),
        ..Contents::default()
    });
    let mut local = LocalHost::settled();
    let mut receive = |number: usize| {
        receive_heartbeat(&mut local, number).expect("within limits");
        let inventory = Inventory {
            origin: origin(number),
            contents: full.clone(),
        };
        local.membership.on_inventory(local.now, inventory)
    };
    let fit = HOSTED_COMPONENTS_MAX / MAX_COMPONENTS;
    for number in 1..=fit {
        assert_eq!(receive(number), Ok(()));
    }
    assert_eq!(receive(fit + 1), Err(Rejection::Full));

    // A restarted host has no components, which makes room for another inventory.
    let mut restarted = heartbeat(1);
    restarted.origin.incarnation = 2;
    let taken = local.membership.on_heartbeat(local.now, restarted);
    assert_eq!(taken, Ok(()));
    let inventory = Inventory {
        origin: origin(fit + 1),
        contents: full,
    };
    let taken = local.membership.on_inventory(local.now, inventory);
    assert_eq!(taken, Ok(()));
}
