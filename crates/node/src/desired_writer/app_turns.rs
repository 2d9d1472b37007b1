//! The order of changes: one after another for each app, and those of different apps at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weft_lattice_config::AppName;

/// The most changes at once. More wait: each reads the components of its app.
const CHANGES_MAX: usize = 32;

/// The turns of changes. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AppTurns {
    changes: Arc<Semaphore>,
    /// A permit for each app that is being changed.
    apps: Arc<Mutex<BTreeMap<AppName, Arc<Semaphore>>>>,
}

/// The turn to change an app; ends on drop.
pub(super) struct Turn {
    app: AppName,
    apps: Arc<Mutex<BTreeMap<AppName, Arc<Semaphore>>>>,
    /// `None` only on drop.
    permit: Option<OwnedSemaphorePermit>,
    _change: Option<OwnedSemaphorePermit>,
}

impl Default for AppTurns {
    fn default() -> Self {
        Self {
            changes: Arc::new(Semaphore::new(CHANGES_MAX)),
            apps: Arc::default(),
        }
    }
}

impl AppTurns {
    /// Waits for the turn to change an app.
    pub(super) async fn take(&self, app: &AppName) -> Turn {
        let of_app = {
            let mut apps = lock(&self.apps);
            let of_app = apps.entry(app.clone());
            of_app
                .or_insert_with(|| Arc::new(Semaphore::new(1)))
                .clone()
        };
        // The semaphores are never closed. That of the app is first: changes that wait for one app
        // must not keep those of others from beginning.
        let permit = of_app.acquire_owned().await.ok();
        let change = self.changes.clone().acquire_owned().await.ok();
        Turn {
            app: app.clone(),
            apps: self.apps.clone(),
            permit,
            _change: change,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut apps = lock(&self.apps);
        drop(self.permit.take());
        // Those that wait for the turn have a reference too.
        if apps
            .get(&self.app)
            .is_some_and(|turn| Arc::strong_count(turn) == 1)
        {
            apps.remove(&self.app);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The code under the lock does not panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn app(name: &str) -> AppName {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn a_change_waits_for_the_one_before_of_its_app_alone() {
        let turns = AppTurns::default();
        let shop = app("shop");
        let first = turns.take(&shop).await;
        let mut second = std::pin::pin!(turns.take(&shop));
        assert!(second.as_mut().now_or_never().is_none());
        let other = turns.take(&app("blog")).now_or_never();
        assert!(other.is_some());
        drop(first);
        assert!(second.now_or_never().is_some());
        drop(other);
        assert!(turns.apps.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_number_of_changes_has_a_bound() {
        let turns = AppTurns::default();
        let mut taken = Vec::new();
        for number in 0..CHANGES_MAX {
            taken.push(turns.take(&app(&format!("app-{number}"))).await);
        }
        let next = app("next");
        let mut next = std::pin::pin!(turns.take(&next));
        assert!(next.as_mut().now_or_never().is_none());
        taken.pop();
        assert!(next.now_or_never().is_some());
    }
}
