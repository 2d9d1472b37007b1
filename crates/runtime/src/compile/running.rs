//! The compilations that run: the same component is compiled once for requests of one urgency.
//!
//! A request waits for a running compilation of the same component if that is as urgent as itself,
//! or more. It does not wait for a less urgent one, whose threads have a lower priority: the
//! component is then compiled twice, and the later result replaces an equal one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use weft_node::runtime::Purpose;

use super::CacheKey;

/// The running compilations. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<Ends>>);

/// The ends of compilations, by cache key and purpose.
type Ends = BTreeMap<(String, Purpose), watch::Receiver<()>>;

/// The claim to compile a component; ends on drop.
#[derive(Debug)]
pub(super) struct Claim {
    running: Running,
    key: (String, Purpose),
    /// Its drop wakes those who wait.
    _ends: watch::Sender<()>,
}

/// The end of a compilation.
#[derive(Debug)]
pub(super) struct End(watch::Receiver<()>);

impl Running {
    /// Claims to compile a component.
    ///
    /// # Errors
    /// The end of a running compilation to wait for.
    pub(super) fn claim(&self, key: &CacheKey, purpose: Purpose) -> Result<Claim, End> {
        let mut running = self.lock();
        let key = key.to_string();
        let as_urgent = (key.clone(), Purpose::Start)..=(key.clone(), purpose);
        if let Some((_, end)) = running.range(as_urgent).next() {
            return Err(End(end.clone()));
        }
        let (sender, receiver) = watch::channel(());
        running.insert((key.clone(), purpose), receiver);
        Ok(Claim {
            running: self.clone(),
            key: (key, purpose),
            _ends: sender,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        // The code under the lock does not panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl End {
    /// Waits for the end.
    pub(super) async fn wait(mut self) {
        // Nothing is sent: the sender is dropped.
        let _ = self.0.changed().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.running.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use weft_lattice_config::Digest;

    use super::*;

    fn key(component: &str) -> CacheKey {
        CacheKey::new(
            &Digest::of(component.as_bytes()),
            &wasmtime::Engine::default(),
            [].into(),
        )
    }

    #[tokio::test]
    async fn a_component_is_claimed_once_for_each_urgency() {
        let running = Running::default();
        let claim = running.claim(&key("cart"), Purpose::Deploy).unwrap();
        let same = running.claim(&key("cart"), Purpose::Deploy).unwrap_err();
        let later = running.claim(&key("cart"), Purpose::Ahead).unwrap_err();
        running.claim(&key("till"), Purpose::Deploy).unwrap();
        // What is more urgent does not wait.
        let urgent = running.claim(&key("cart"), Purpose::Start).unwrap();
        assert!(running.claim(&key("cart"), Purpose::Deploy).is_err());
        drop(urgent);
        drop(claim);
        assert!(same.wait().now_or_never().is_some());
        assert!(later.wait().now_or_never().is_some());
        running.claim(&key("cart"), Purpose::Ahead).unwrap();
        assert!(running.lock().is_empty());
    }
}
