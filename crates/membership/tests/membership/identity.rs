//! Several processes of one identity, one after the other or at once: refutations, and the larger
//! incarnation of a host that was restored from an older disk.

use proptest::prelude::*;
use weft_membership::message::{Heartbeat, HostState, Load, Message};
use weft_membership::{
    BusStatus, Event, HostId, Identity, Membership, Moment, REFUTE_AGAIN_AFTER, Rejection,
    SETTLE_AFTER_START, SUSPECT_AFTER, TICK_EVERY,
};

use weft_testkit::membership::{LATTICE, LocalHost, OWN, RemoteHost, SECOND, config, contents, id};

/// The incarnation of the host under test.
const OWN_INCARNATION: u64 = 5;

fn refutations(local: &mut LocalHost) -> Vec<(HostId, Heartbeat)> {
    local.membership.refutations(local.now)
}

fn refute(local: &mut LocalHost, heartbeat: Heartbeat) -> Result<(), Rejection> {
    let bytes = Message::Heartbeat(heartbeat).encode(LATTICE);
    let bytes = bytes.expect("within limits");
    local.membership.on_refutation(local.now, &bytes)
}

#[test]
fn a_heartbeat_of_an_earlier_incarnation_is_answered_with_the_last_one() {
    let mut local = LocalHost::settled();
    let mut newer = RemoteHost::with(1, 7, contents(&[], &[]));
    local.run_with(&mut [&mut newer], 3);
    let mut older = RemoteHost::with(1, 3, contents(&[], &[]));
    let rejected = local.membership.on_heartbeat(local.now, older.heartbeat());
    assert_eq!(rejected, Err(Rejection::Older));
    let [(host, last)] = refutations(&mut local)[..] else {
        panic!("one refutation is due");
    };
    assert_eq!(host, id(1));
    assert_eq!((last.origin.incarnation, last.origin.sequence), (7, 3));
    assert_eq!(refutations(&mut local), [], "once for each heartbeat");
}

#[test]
fn refutations_of_a_host_have_a_pause_between_them() {
    let mut local = LocalHost::settled();
    let mut newer = RemoteHost::with(1, 7, contents(&[], &[]));
    local.receive_heartbeat(&mut newer);
    let mut older = RemoteHost::with(1, 3, contents(&[], &[]));
    let mut sent = 0;
    for _ in 0..40 {
        let _ = local.membership.on_heartbeat(local.now, older.heartbeat());
        local.run(TICK_EVERY);
        sent += refutations(&mut local).len();
    }
    let periods = (TICK_EVERY * 40).as_millis() / REFUTE_AGAIN_AFTER.as_millis();
    assert_eq!(sent as u128, periods);
}

#[test]
fn a_replay_is_refuted_only_if_nothing_newer_arrives() {
    let mut local = LocalHost::settled();
    let mut other = RemoteHost::new(1);
    let first = other.heartbeat();
    local
        .membership
        .on_heartbeat(local.now, first)
        .expect("accepted");
    local.run_with(&mut [&mut other], 3);
    let replayed = local.membership.on_heartbeat(local.now, first);
    assert_eq!(replayed, Err(Rejection::Replayed));
    assert_eq!(refutations(&mut local), [], "a slow message of a live host");
    local.run(SUSPECT_AFTER);
    let replayed = local.membership.on_heartbeat(local.now, first);
    assert_eq!(replayed, Err(Rejection::Replayed));
    assert_eq!(refutations(&mut local).len(), 1);
}

#[test]
fn a_refuted_host_is_outdated_once_it_has_listened() {
    let mut local = LocalHost::unconnected(contents(&[], &[]));
    local.connect();
    let mut former = RemoteHost::with(OWN, 9, contents(&[], &[]));
    assert_eq!(refute(&mut local, former.heartbeat()), Ok(()));
    local.tick();
    let outdated = Event::Outdated { incarnation: 9 };
    assert!(!local.take_events().contains(&outdated), "it listens first");
    local.run(SETTLE_AFTER_START);
    assert!(local.take_events().contains(&outdated));
    local.run(SECOND);
    assert_eq!(local.take_events(), []);
    local.membership.set_incarnation(10);
    local.membership.set_state(HostState::Ready);
    let heartbeat = local.membership.heartbeat(0, Load::default());
    assert_eq!(heartbeat.origin.incarnation, 10);
    local.run(TICK_EVERY);
    assert_eq!(local.host(OWN).incarnation, 10);
    assert_eq!(
        refute(&mut local, former.heartbeat()),
        Err(Rejection::Replayed)
    );
}

#[test]
fn a_refuted_host_whose_other_process_is_heard_is_superseded() {
    let mut local = LocalHost::unconnected(contents(&[], &[]));
    local.connect();
    let mut other = RemoteHost::with(OWN, 9, contents(&[], &[]));
    assert_eq!(refute(&mut local, other.heartbeat()), Ok(()));
    let heard = local.membership.on_heartbeat(local.now, other.heartbeat());
    assert_eq!(heard, Err(Rejection::Own));
    local.run(SETTLE_AFTER_START * 2);
    let events = local.take_events();
    assert!(events.contains(&Event::Superseded { incarnation: 9 }));
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Outdated { .. }))
    );
}

#[test]
fn a_process_behind_another_one_of_its_incarnation_is_superseded() {
    let mut local = LocalHost::settled();
    local.membership.heartbeat(0, Load::default());
    let mut twin = RemoteHost::with(OWN, OWN_INCARNATION, contents(&[], &[]));
    twin.heartbeat();
    let heard = local.membership.on_heartbeat(local.now, twin.heartbeat());
    assert_eq!(heard, Err(Rejection::Own));
    local.tick();
    let incarnation = OWN_INCARNATION;
    assert_eq!(local.take_events(), [Event::Superseded { incarnation }]);
}

#[test]
fn a_refutation_without_news_or_for_another_host_changes_nothing() {
    let mut local = LocalHost::settled();
    let own = local.membership.heartbeat(0, Load::default());
    assert_eq!(refute(&mut local, own), Err(Rejection::Replayed));
    let other = RemoteHost::with(1, 9, contents(&[], &[])).heartbeat();
    assert_eq!(refute(&mut local, other), Err(Rejection::Malformed));
    let inventory = Message::Inventory(RemoteHost::new(1).inventory());
    let inventory = inventory.encode(LATTICE).expect("within limits");
    let rejected = local.membership.on_refutation(local.now, &inventory);
    assert_eq!(rejected, Err(Rejection::Kind));
    local.run(SECOND);
    assert_eq!(local.take_events(), []);
}

#[test]
fn the_incarnations_of_hosts_follow_heartbeats_while_the_view_is_frozen() {
    let mut local = LocalHost::settled();
    local.receive_heartbeat(&mut RemoteHost::new(1));
    local.disconnect();
    local.connect();
    let before = local.membership.incarnations_revision();
    let restarted = RemoteHost::with(1, 2, contents(&[], &[])).heartbeat();
    let taken = local.membership.on_heartbeat(local.now, restarted);
    taken.expect("accepted");
    local.tick();
    assert_eq!(local.host(1).incarnation, 1);
    assert!(local.membership.incarnations_revision() > before);
    let incarnations: Vec<_> = local.membership.incarnations().collect();
    assert_eq!(incarnations, [(id(1), 2), (id(OWN), OWN_INCARNATION)]);
}

/// A host whose process starts at any incarnation, and takes a larger one when it is refuted.
struct Restored(Membership);

impl Restored {
    fn start(incarnation: u64) -> Self {
        let identity = Identity {
            lattice: LATTICE.to_owned(),
            host: id(1),
            incarnation,
        };
        let membership = Membership::new(identity, contents(&[], &["a"]));
        let mut membership = membership.expect("within limits");
        membership.on_bus(Moment::START, BusStatus::Connected);
        membership.set_state(HostState::Ready);
        Self(membership)
    }

    /// Ticks, and takes a larger incarnation if that is due.
    fn tick(&mut self, now: Moment) {
        for event in self.0.tick(now) {
            if let Event::Outdated { incarnation } = event {
                self.0.set_incarnation(incarnation + 1);
            }
        }
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn a_host_restored_from_any_disk_is_alive_again_soon(
        last in 1_u64..20,
        heartbeats in 1_u64..60,
        restored in 1_u64..20,
        silent_s in 3_u64..20,
    ) {
        let mut local = LocalHost::settled();
        let mut former = RemoteHost::with(1, last, contents(&[], &["a"]));
        for _ in 0..heartbeats {
            local.receive_heartbeat(&mut former);
        }
        local.run(SECOND * silent_s as u32);
        let mut host = Restored::start(restored);
        let mut now = Moment::START;
        for quarter in 0..16 {
            if quarter % 4 == 0 {
                let heartbeat = host.0.heartbeat(0, Load::default());
                let _ = local.membership.on_heartbeat(local.now, heartbeat);
            }
            local.run(TICK_EVERY);
            now = now + TICK_EVERY;
            for (_, heartbeat) in local.membership.refutations(local.now) {
                let bytes = Message::Heartbeat(heartbeat).encode(LATTICE)?;
                let _ = host.0.on_refutation(now, &bytes);
            }
            host.tick(now);
        }
        prop_assert!(local.host(1).is_alive());
        prop_assert_eq!(local.host(1).incarnation, host.0.identity().incarnation);
        let heartbeat = host.0.heartbeat(0, Load::default());
        local.membership.on_heartbeat(local.now, heartbeat)?;
    }
}
