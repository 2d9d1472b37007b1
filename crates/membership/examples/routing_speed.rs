//! Measures routing of a call among three replicas, from the table to the end of the route: `cargo
//! run --release -p weft-membership --example routing_speed`.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use weft_membership::message::{
    ComponentId, Contents, HostState, HostedComponent, Load, Readiness, Revision,
};
use weft_membership::routing::{Call, Decision, Outcome, Repeat, Route, Router};
use weft_membership::{BusStatus, HostId, Identity, Membership, SETTLE_AFTER_START};
use weft_membership::{Moment, Random};

/// Enough for stable results from the fastest of several rounds.
const CALLS: u32 = 2_000_000;
const ROUNDS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let target = ComponentId {
        app: "shop".parse()?,
        component: "cart".parse()?,
    };
    let router = router(&target)?;
    let table = router.table();
    let (now, mut random) = (Moment::START, Random::from_seed(1));
    let call = Call {
        deadline: now + Duration::from_secs(1),
        repeat: Repeat::Never,
    };
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            let candidates = table.any(black_box(&target)).ok_or("no host has it")?;
            let random = Random::from_seed(random.next_u64());
            let mut route = Route::new(candidates.clone(), call, random);
            if let Decision::Send(attempt) = route.next(now) {
                black_box(attempt);
                route.outcome(Outcome::Answered, now);
            }
        }
        best = best.min(start.elapsed());
    }
    let nanoseconds = best.as_nanos() as f64 / f64::from(CALLS);
    #[expect(clippy::print_stdout, reason = "prints its measurement")]
    {
        println!("{nanoseconds:.1} ns for each call");
    }
    Ok(())
}

/// A router with three remote hosts, each of which has the target.
fn router(target: &ComponentId) -> Result<Router, Box<dyn Error>> {
    let identity = |key| Identity {
        lattice: "demo".to_owned(),
        host: HostId::from_key([key; 32]),
        incarnation: 1,
    };
    let mut own = Membership::new(identity(0), Contents::default())?;
    own.on_bus(Moment::START, BusStatus::Connected);
    let has = Contents {
        components: vec![HostedComponent {
            component: target.clone(),
            revision: Revision(1),
            readiness: Readiness::Ready,
        }],
        ..Contents::default()
    };
    for key in 1..=3 {
        let mut other = Membership::new(identity(key), has.clone())?;
        other.set_state(HostState::Ready);
        let load = Load {
            running: 0,
            limit: 100,
        };
        own.on_heartbeat(Moment::START, other.heartbeat(0, load))?;
        own.on_inventory(Moment::START, other.inventory())?;
    }
    own.tick(Moment::START + Duration::from_secs(1));
    own.tick(Moment::START + SETTLE_AFTER_START);
    let mut router = Router::new(own.identity().host);
    router.refresh(own.view());
    Ok(router)
}
