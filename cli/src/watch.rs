//! Polling for commands with `--watch`: until Ctrl-C or a closed pipe.

use std::time::Duration;

use tokio::time::sleep;

use crate::failure::{Failure, Message};
use crate::output::{self, Reader};
use crate::signals::Signals;

/// The pause between polls: short enough for people, and long enough for a host that many watch.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Polls until SIGINT or SIGTERM, or until the reader is gone. `print` prints a result if it is
/// news.
///
/// # Errors
/// The first poll fails, or a result cannot be printed. Later failures are noted once, because a
/// host that restarts returns.
pub(crate) async fn until_interrupted<T>(
    mut poll: impl AsyncFnMut() -> Result<T, Failure>,
    mut print: impl FnMut(T) -> Result<Reader, Failure>,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut is_first = true;
    let mut outage = None;
    loop {
        let polled = tokio::select! {
            biased;
            _ = signals.next() => return Ok(()),
            polled = poll() => polled,
        };
        match polled {
            Ok(result) => {
                outage = None;
                if print(result)? == Reader::Closed {
                    return Ok(());
                }
            }
            Err(failure) if is_first => return Err(failure),
            Err(failure) => {
                let reason = first_message(&failure);
                if outage.as_ref() != Some(&reason) {
                    output::note(&format!("warning: {reason}; trying again"));
                    outage = Some(reason);
                }
            }
        }
        is_first = false;
        tokio::select! {
            biased;
            _ = signals.next() => return Ok(()),
            () = sleep(INTERVAL) => {}
        }
    }
}

fn first_message(failure: &Failure) -> String {
    match failure.messages().first() {
        Some(Message::Plain(plain)) => plain.message.clone(),
        Some(Message::Formatted(text)) => text.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    #[tokio::test(start_paused = true)]
    async fn a_failure_ends_a_watch_only_at_its_first_poll() {
        let away = || Failure::new(Kind::Host, "the host is away");
        let first = until_interrupted(async || Err(away()), |(): ()| Ok(Reader::Open)).await;
        assert_eq!(first.unwrap_err().kind(), Kind::Host);
        let mut polls = 0;
        let poll = async || {
            polls += 1;
            match polls {
                2..4 => Err(away()),
                _ => Ok(polls),
            }
        };
        let mut printed = Vec::new();
        let print = |poll| {
            printed.push(poll);
            Ok(if poll == 5 {
                Reader::Closed
            } else {
                Reader::Open
            })
        };
        until_interrupted(poll, print).await.unwrap();
        assert_eq!(printed, [1, 4, 5]);
    }
}
