//! Progress of work that takes longer than a moment: one line on standard error that is replaced,
//! for a person at a terminal only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;
use crate::styled::printable;

/// The time between two pictures of the line.
const TICK: Duration = Duration::from_millis(120);

/// The line: a sign of life, the text, and the time so far.
const TEMPLATE: &str = "{spinner} {wide_msg} {elapsed}";

/// True if standard error is a log, which a line would garble.
static IS_LOG: AtomicBool = AtomicBool::new(false);

/// Leaves standard error to the log of a host in this process.
pub(crate) fn leave_to_log() {
    IS_LOG.store(true, Ordering::Relaxed);
}

/// A line of progress, removed on drop. Nothing is shown if nobody watches.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    is_shown: bool,
}

impl Progress {
    /// Shows a line.
    pub(crate) fn start(text: &str) -> Self {
        let is_shown = output::is_watched() && !IS_LOG.load(Ordering::Relaxed);
        let target = match is_shown {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is a constant, which the tests check.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.set_message(printable(text).into_owned());
        if is_shown {
            bar.enable_steady_tick(TICK);
        }
        Self { bar, is_shown }
    }

    /// Replaces the text. Without a person who watches, each text is a note of its own.
    pub(crate) fn set_or_note(&self, text: &str) {
        match self.is_shown {
            true => self.bar.set_message(printable(text).into_owned()),
            false => output::note(text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_a_valid_template() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn a_line_that_nobody_watches_is_not_drawn() {
        // The standard error of tests is not a terminal.
        let progress = Progress::start("uploading");
        assert!(!progress.is_shown);
        assert!(progress.bar.is_hidden());
    }
}
