//! Futures on the heap, made there.
//!
//! The future of a call is some kilobytes, of which few are written when it is made. `Box::new` makes it on the
//! stack and copies it whole, because it is there already when the allocation may fail: a fourteenth of a small
//! call. Where the place is there first, what is written is written there (`docs/performance.md`).

/// A box of what `make` makes.
#[inline(always)]
pub fn boxed<T>(make: impl FnOnce() -> T) -> Box<T> {
    Box::write(Box::new_uninit(), make())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_future_in_a_box_is_the_future() {
        let text = String::from("some");
        let future = Box::into_pin(boxed(|| async move { text + " text" }));
        assert_eq!(future.await, "some text");
    }
}
