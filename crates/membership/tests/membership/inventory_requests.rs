//! Requests for inventories.

use std::time::Duration;

use weft_membership::message::{Contents, Message};
use weft_membership::{
    BusStatus, Change, Event, HostId, INVENTORY_REQUESTS_MAX, REQUEST_AFTER, REQUEST_AGAIN_AFTER,
    Rejection,
};

use weft_testkit::membership::{LATTICE, LocalHost, OWN, RemoteHost, at_ms, contents, id};

fn requested(local: &mut LocalHost) -> Vec<HostId> {
    let requests = local.membership.inventory_requests(local.now);
    requests.into_iter().map(|(host, _)| host).collect()
}

#[test]
fn a_missing_inventory_is_requested_again_after_a_while() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::with(1, 1, contents(&[], &["a"]));
    local.receive_heartbeat(&mut other);
    assert_eq!(requested(&mut local), [], "still in transit");
    local.run(REQUEST_AFTER);
    assert_eq!(requested(&mut local), [id(1)]);
    assert_eq!(requested(&mut local), []);
    local.run_with(&mut [&mut other], REQUEST_AGAIN_AFTER.as_secs());
    assert_eq!(requested(&mut local), [id(1)]);
    local.receive_inventory(other.inventory());
    local.run_with(&mut [&mut other], 10);
    assert_eq!(requested(&mut local), []);
    let known = local.host(1).contents.clone().expect("received");
    assert_eq!(*known, contents(&[], &["a"]));
}

#[test]
fn a_missed_change_is_noticed_by_its_hash() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    local.receive_heartbeat(&mut other);
    local.receive_inventory(other.inventory());
    let missed = other.change(contents(&[], &["a"]));
    local.receive_heartbeat(&mut other);
    local.run(REQUEST_AFTER);
    assert_eq!(requested(&mut local), [id(1)]);
    let old = local.host(1).contents.clone().expect("received");
    assert_eq!(*old, Contents::default(), "the old one stays until then");
    local.take_events();
    local.receive_inventory(missed);
    let changed = Event::Host {
        host: id(1),
        change: Change::Inventory,
    };
    assert_eq!(local.take_events(), [changed]);
}

#[test]
fn dead_hosts_are_not_asked_and_nothing_is_requested_while_disconnected() {
    let mut local = LocalHost::settled();
    let (mut dead, mut lives) = (RemoteHost::new(1), RemoteHost::new(2));
    local.receive_heartbeat(&mut dead);
    local.run_with(&mut [&mut lives], 5);
    assert_eq!(requested(&mut local), [id(2)]);
    local.run_with(&mut [&mut lives], 5);
    local.membership.on_bus(local.now, BusStatus::Disconnected);
    assert_eq!(requested(&mut local), []);
}

#[test]
fn requests_to_a_large_lattice_are_spread_over_ticks() {
    let mut local = LocalHost::settled();
    for key in 1..=200 {
        local.receive_heartbeat(&mut RemoteHost::new(key));
    }
    local.run(REQUEST_AFTER);
    let mut all = Vec::new();
    loop {
        let some = requested(&mut local);
        if some.is_empty() {
            break;
        }
        assert!(some.len() <= INVENTORY_REQUESTS_MAX);
        all.extend(some);
    }
    assert_eq!(all, (1..=200).map(id).collect::<Vec<_>>());
}

#[test]
fn a_request_is_returned_for_the_caller_to_answer() {
    let mut local = LocalHost::settled();
    let mut asking = LocalHost::unconnected(Contents::default());
    asking.connect();
    asking.run(Duration::from_secs(2));
    let mut other = RemoteHost::new(1);
    asking.receive_heartbeat(&mut other);
    asking.run(REQUEST_AFTER);
    let requests = asking.membership.inventory_requests(asking.now);
    let [(host, request)] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!((*host, request.origin.host), (id(1), id(OWN)));
    let bytes = Message::InventoryRequest(*request)
        .encode(LATTICE)
        .expect("short");
    // A process with the same identity, which is about to start.
    assert_eq!(
        local.membership.on_bytes(local.now, &bytes),
        Ok(Some(*request))
    );
    let mut answering = weft_membership::Membership::new(
        weft_membership::Identity {
            lattice: LATTICE.to_owned(),
            host: id(1),
            incarnation: 1,
        },
        Contents::default(),
    )
    .expect("within limits");
    assert_eq!(answering.on_bytes(at_ms(0), &bytes), Ok(Some(*request)));
    asking.receive_inventory(answering.inventory());
    assert!(asking.host(1).contents.is_some());
}

#[test]
fn a_restarted_host_begins_without_its_old_inventory() {
    let mut local = LocalHost::settled();
    let mut first = RemoteHost::with(1, 1, contents(&[], &["a"]));
    let mut second = RemoteHost::with(1, 2, contents(&[], &["a"]));
    let early = local.membership.on_inventory(local.now, first.inventory());
    assert_eq!(early, Err(Rejection::Early), "heartbeats come first");
    local.receive_heartbeat(&mut first);
    local.receive_inventory(first.inventory());
    let early = local.membership.on_inventory(local.now, second.inventory());
    assert_eq!(early, Err(Rejection::Early));
    local.receive_heartbeat(&mut second);
    assert_eq!(local.host(1).contents, None);
    let older = local.membership.on_inventory(local.now, first.inventory());
    assert_eq!(older, Err(Rejection::Older));
    let older = local.membership.on_heartbeat(local.now, first.heartbeat());
    assert_eq!(older, Err(Rejection::Older));
    local.receive_inventory(second.inventory());
    assert!(local.host(1).contents.is_some());
}
