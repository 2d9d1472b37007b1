//! A row of the table: a function, what it is called with, and what comes of it.

use weft_tests::Finished;

/// The exit code of a call that failed.
const FAILED: i32 = 4;

/// Calls of one function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// The component that is called: the importer of the link.
    pub(super) component: &'static str,
    /// `INTERFACE.FUNCTION`, in the package of the fixtures.
    pub(super) function: &'static str,
    /// With which arguments.
    pub(super) calls: Calls,
}

/// Arguments and what comes of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Calls {
    /// Each comes back as it was.
    Same(&'static [&'static str]),
    /// Each comes back as the same number, which may be written in another way.
    SameNumber(&'static [&'static str]),
    /// Each with what comes of it.
    Give(&'static [(&'static str, Expected)]),
}

/// What comes of a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// A value with this text.
    Value(&'static str),
    /// A value with these parts: a failure that the importer is told.
    Tells(&'static [&'static str]),
    /// The importer ends, and the message has these parts.
    Ends(&'static [&'static str]),
    /// The exporter traps. Fused it takes its importer with it, which is one of the two documented differences
    /// between the modes; elsewhere it is this that comes of it.
    Traps(&'static Expected),
}

/// How the components of a link are joined, as far as it makes a difference to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stores {
    /// In one store.
    One,
    /// In two.
    Two,
}

/// A call with what is expected of it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) component: &'static str,
    pub(super) expression: String,
    expected: Answer,
}

#[derive(Debug)]
enum Answer {
    Number(&'static str),
    Other(Expected),
}

/// A value with this text.
pub(super) const fn value(text: &'static str) -> Expected {
    Expected::Value(text)
}

// === impl Case ===

impl Case {
    pub(super) const fn same(
        component: &'static str,
        function: &'static str,
        values: &'static [&'static str],
    ) -> Self {
        let calls = Calls::Same(values);
        Self {
            component,
            function,
            calls,
        }
    }

    pub(super) const fn same_number(
        component: &'static str,
        function: &'static str,
        values: &'static [&'static str],
    ) -> Self {
        let calls = Calls::SameNumber(values);
        Self {
            component,
            function,
            calls,
        }
    }

    pub(super) const fn gives(
        component: &'static str,
        function: &'static str,
        calls: &'static [(&'static str, Expected)],
    ) -> Self {
        let calls = Calls::Give(calls);
        Self {
            component,
            function,
            calls,
        }
    }

    /// Its calls, one by one.
    pub(super) fn calls(&self) -> Vec<Call> {
        let call = |arguments: &str, expected| Call {
            component: self.component,
            expression: format!("fixture:conformance/{}({arguments})", self.function),
            expected,
        };
        let same = |value| Answer::Other(Expected::Value(value));
        match self.calls {
            Calls::Same(values) => values.iter().map(|text| call(text, same(text))).collect(),
            Calls::SameNumber(values) => values
                .iter()
                .map(|text| call(text, Answer::Number(text)))
                .collect(),
            Calls::Give(calls) => calls
                .iter()
                .map(|(text, expected)| call(text, Answer::Other(*expected)))
                .collect(),
        }
    }
}

// === impl Call ===

impl Call {
    /// What is wrong with what came of it, if something is.
    pub(super) fn difference(&self, stores: Stores, found: &Finished) -> Option<String> {
        let is_right = match &self.expected {
            Answer::Number(text) => gave(found).is_some_and(|given| is_same_number(given, text)),
            Answer::Other(expected) => expected.is_met(stores, found),
        };
        (!is_right).then(|| {
            let Self {
                component,
                expression,
                expected,
            } = self;
            let Finished {
                code,
                stdout,
                stderr,
                ..
            } = found;
            format!(
                "{component}: {expression}\nexpected {expected:?}\nfound {code:?} {}\n{}",
                shortened(stdout.trim_end()),
                shortened(stderr.trim_end())
            )
        })
    }
}

// === impl Expected ===

impl Expected {
    fn is_met(&self, stores: Stores, found: &Finished) -> bool {
        match self {
            Self::Value(text) => gave(found) == Some(text),
            Self::Tells(parts) => gave(found).is_some_and(|given| has_all(given, parts)),
            Self::Ends(parts) => ended(found).is_some_and(|message| has_all(message, parts)),
            Self::Traps(_) if stores == Stores::One => {
                ended(found).is_some_and(|message| has_all(message, &["trapped"]))
            }
            Self::Traps(otherwise) => otherwise.is_met(stores, found),
        }
    }
}

fn gave(found: &Finished) -> Option<&str> {
    (found.code == Some(0)).then(|| found.stdout.trim_end())
}

fn ended(found: &Finished) -> Option<&str> {
    (found.code == Some(FAILED)).then_some(&*found.stderr)
}

fn has_all(text: &str, parts: &[&str]) -> bool {
    parts.iter().all(|part| text.contains(part))
}

fn is_same_number(given: &str, expected: &str) -> bool {
    let bits = |text: &str| text.parse().map(f64::to_bits);
    let (Ok(given), Ok(expected)) = (bits(given), bits(expected)) else {
        return false;
    };
    given == expected
}

/// The first of a long text: a backtrace says little here.
fn shortened(text: &str) -> String {
    const CHARS_SHOWN: usize = 600;
    text.chars().take(CHARS_SHOWN).collect()
}
