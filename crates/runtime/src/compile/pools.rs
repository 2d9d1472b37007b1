//! The threads of the compiler: a pool for each purpose and size, so that no compilation waits for
//! one of another purpose, and a small one for none of a large component.
//!
//! Without pools, all compilations would share the threads of one, in which a compilation that has
//! begun keeps every thread until it ends. The scheduler of the system divides the processors among
//! the pools; priorities of threads say what is urgent.

use std::num::NonZeroUsize;

use rayon::{ThreadPool, ThreadPoolBuilder};
use weft_node::runtime::Purpose;

use super::size_queue::{SizeQueue, Turn};

/// The size from which a component is large. One of this size takes some seconds of a processor; a
/// usual component in Rust has a tenth of it, and a language runtime ten times as much.
pub(crate) const LARGE_BYTES: u64 = 2 << 20;

/// Concurrent compilations in a pool for large components. One already uses every thread; more
/// would only use more memory.
const LARGE_AT_ONCE: usize = 1;

/// Concurrent compilations in a pool for small components: parts of each use one thread only.
const SMALL_AT_ONCE: usize = 2;

/// The most threads of a pool for small components, which have too few functions for more.
const SMALL_THREADS_MAX: usize = 4;

/// The nice value of threads that compile for failover: they take what others leave.
const NICE_AHEAD: i32 = 10;

/// The nice value of threads that compile large components: requests go first.
const NICE_LARGE: i32 = 5;

/// The pools of a host.
#[derive(Debug)]
pub(super) struct Pools {
    start: PoolPair,
    deploy: PoolPair,
    ahead: PoolPair,
}

#[derive(Debug)]
struct PoolPair {
    small: Pool,
    large: Pool,
}

/// Threads, and the queue of compilations that wait for them.
#[derive(Debug)]
pub(super) struct Pool {
    threads: ThreadPool,
    queue: SizeQueue,
}

impl Pools {
    /// Starts the threads.
    pub(super) fn start() -> std::io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            start: PoolPair::start("start", processors, 0)?,
            deploy: PoolPair::start("deploy", processors, 0)?,
            // The loss of a host is seldom, and requests are not.
            ahead: PoolPair::start("ahead", processors.div_ceil(2), NICE_AHEAD)?,
        })
    }

    /// The pool for a component.
    pub(super) fn get(&self, purpose: Purpose, bytes: u64) -> &Pool {
        let pair = match purpose {
            Purpose::Start => &self.start,
            Purpose::Deploy => &self.deploy,
            Purpose::Ahead => &self.ahead,
        };
        if bytes < LARGE_BYTES {
            &pair.small
        } else {
            &pair.large
        }
    }
}

impl PoolPair {
    fn start(name: &'static str, threads: usize, nice: i32) -> std::io::Result<Self> {
        let small = threads.min(SMALL_THREADS_MAX);
        Ok(Self {
            small: Pool::start(name, small, nice, SMALL_AT_ONCE)?,
            large: Pool::start(name, threads, nice.max(NICE_LARGE), LARGE_AT_ONCE)?,
        })
    }
}

impl Pool {
    fn start(
        name: &'static str,
        threads: usize,
        nice: i32,
        at_once: usize,
    ) -> std::io::Result<Self> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(move |_| format!("weft-{name}"))
            .start_handler(move |_| lower_priority(nice))
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self {
            threads,
            queue: SizeQueue::new(at_once),
        })
    }

    /// Waits for the turn of a component of this size. `name` begins with that of its app.
    pub(super) async fn turn(&self, name: &str, bytes: u64) -> Turn {
        let app = name.split_once('/').map_or(name, |(app, _)| app);
        self.queue.turn(app, bytes).await
    }

    /// Runs a compilation on the threads of the pool. Blocks.
    pub(super) fn run<R: Send>(&self, compile: impl FnOnce() -> R + Send) -> R {
        self.threads.install(compile)
    }
}

/// Lowers the priority of the current thread. Elsewhere than on Linux, priorities belong to the
/// process.
#[cfg(target_os = "linux")]
fn lower_priority(nice: i32) {
    if let Err(error) = rustix::process::nice(nice) {
        tracing::debug!(%error, "a thread of the compiler has the usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority(_nice: i32) {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_pool_runs_while_the_threads_of_all_others_are_busy() {
        let pools = Pools::start().unwrap();
        let all = [Purpose::Start, Purpose::Deploy, Purpose::Ahead];
        let all = all.map(|purpose| [(purpose, 1), (purpose, LARGE_BYTES)]);
        for (purpose, bytes) in all.iter().flatten() {
            let free = pools.get(*purpose, *bytes);
            std::thread::scope(|scope| {
                let mut ends = Vec::new();
                for (other, size) in all.iter().flatten() {
                    let busy = pools.get(*other, *size);
                    if std::ptr::eq(busy, free) {
                        continue;
                    }
                    let (end, ended) = mpsc::channel::<()>();
                    ends.push(end);
                    scope.spawn(move || {
                        let ended = std::sync::Mutex::new(ended);
                        // Each thread of the pool waits for the end.
                        busy.threads.broadcast(|_| ended.lock().unwrap().recv());
                    });
                }
                assert_eq!(free.run(|| 7), 7);
                drop(ends);
            });
        }
    }

    #[tokio::test]
    async fn a_small_component_takes_no_turn_of_a_large_one() {
        let pools = Pools::start().unwrap();
        let large = pools.get(Purpose::Start, LARGE_BYTES);
        let _turn = large.turn("app/a", LARGE_BYTES).await;
        assert!(large.turn("app/b", LARGE_BYTES).now_or_never().is_none());
        let small = pools.get(Purpose::Start, 1).turn("app/c", 1);
        assert!(small.now_or_never().is_some());
        let ahead = pools.get(Purpose::Ahead, LARGE_BYTES);
        let ahead = ahead.turn("app/d", LARGE_BYTES);
        assert!(ahead.now_or_never().is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_urgent_has_the_priority() {
        let pools = Pools::start().unwrap();
        let nice = |purpose, bytes| {
            let pool = pools.get(purpose, bytes);
            pool.run(|| rustix::process::nice(0).unwrap())
        };
        let own = rustix::process::nice(0).unwrap();
        assert_eq!(nice(Purpose::Start, 1), own);
        assert!(nice(Purpose::Start, LARGE_BYTES) > own);
        assert!(nice(Purpose::Ahead, 1) > nice(Purpose::Start, LARGE_BYTES));
    }
}
