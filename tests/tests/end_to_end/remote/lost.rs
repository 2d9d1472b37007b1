//! Hosts that are lost while they are called.

use std::time::{Duration, Instant};

use weft_tests::{PATIENCE, eventually, finish, start_nats};

use super::{ADD, Apart, calls_at, runs};

/// A call that does not end by itself before its deadline of half a minute.
const SPIN: &str = "fixture:conformance/relay-failures.text(spin)";

/// Before the half of a call's deadline, after which it would be tried elsewhere whatever is known of its
/// host.
const SOON: Duration = Duration::from_secs(14);

#[test]
fn a_call_whose_host_is_killed_is_told_that_it_may_have_run() {
    let nats = start_nats();
    let mut apart = Apart::start(&nats, 1, "");
    let call = apart.spawn_call(SPIN);
    eventually("the call runs", PATIENCE, || {
        match calls_at(&apart.exporters[0]) {
            (_, 1) => Ok(()),
            counts => Err(format!("{counts:?}")),
        }
    });
    apart.exporters[0].kill();
    // One that waited until its deadline would be told just that.
    let told = finish(call, PATIENCE).expect_code(0);
    assert!(told.stdout.contains("maybe-executed"), "{told}");
}

#[test]
fn a_call_waits_until_what_a_killed_host_ran_is_started_elsewhere() {
    let nats = start_nats();
    let mut apart = Apart::deployed(&nats, 2, 1, "");
    apart.wait_for_answer(ADD, "42");
    let lost = apart.exporters.iter_mut().find(|exporter| runs(exporter));
    lost.expect("somebody runs it").kill();
    // Nobody runs it for the seconds in which the host is found out, and nobody is told so.
    let calls: Vec<_> = (0..4).map(|_| apart.spawn_call(ADD)).collect();
    for call in calls {
        let called = finish(call, PATIENCE).expect_code(0);
        assert_eq!(called.stdout.trim_end(), "42");
    }
}

#[test]
fn an_idempotent_call_goes_elsewhere_when_its_host_is_known_to_hang() {
    let nats = start_nats();
    let apart = Apart::start(&nats, 2, ", idempotent: true");
    apart.exporters[0].process().suspend().unwrap();
    let started = Instant::now();
    // At random, some of them go to the host that hangs.
    let calls: Vec<_> = (0..8).map(|_| apart.spawn_call(ADD)).collect();
    for call in calls {
        let called = finish(call, PATIENCE).expect_code(0);
        assert_eq!(called.stdout.trim_end(), "42");
    }
    let took = started.elapsed();
    assert!(took < SOON, "{took:?}");
    apart.exporters[0].process().resume().unwrap();
}

/// The time in which the callee of a lost caller is freed: far below the deadline of the call.
const FREED: Duration = Duration::from_secs(10);

#[test]
fn a_call_whose_caller_is_gone_frees_its_callee_at_once() {
    let nats = start_nats();
    let apart = Apart::start(&nats, 1, "");
    let call = apart.spawn_call(SPIN);
    eventually("the call runs", PATIENCE, || {
        match calls_at(&apart.exporters[0]) {
            (_, 1) => Ok(()),
            counts => Err(format!("{counts:?}")),
        }
    });
    // The caller's host drops the importer with the connection of its caller.
    drop(call);
    eventually("the callee is freed", FREED, || {
        match calls_at(&apart.exporters[0]) {
            (_, 0) => Ok(()),
            counts => Err(format!("{counts:?}")),
        }
    });
}
