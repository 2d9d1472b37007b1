//! The writer task, which combines changes into transactions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redb::{Database, ReadableTable, Table};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_provider::keyvalue::{BATCH_BYTES_MAX, CasOutcome, KeyValueError, add_to_counter};

use crate::database::{DatabaseFile, ENTRIES};

/// With `durability: eventual`, the longest time until an acknowledged write is on disk.
pub const FLUSH_PERIOD: Duration = Duration::from_secs(1);

/// The largest number of commands in one transaction: larger groups gain little per wait for the
/// disk.
const GROUP_MAX: usize = 256;

/// The largest number of queued commands; further callers wait.
const QUEUE_MAX: usize = 1_024;

/// The largest number of value bytes in the queue: two batches of the largest size.
const QUEUE_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

/// The unit of queued bytes in the semaphore, which counts in 32 bits.
const QUEUE_BYTES_UNIT: usize = 1 << 10;

/// The time at which an acknowledged write is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// Before the acknowledgement.
    #[default]
    Immediate,
    /// At most [`FLUSH_PERIOD`] later; a crash of the process loses later writes.
    Eventual,
}

/// A change of one bucket.
pub(crate) enum Write {
    Set(Vec<(String, Bytes)>),
    Delete(Vec<String>),
    Increment {
        key: String,
        delta: i64,
    },
    Swap {
        key: String,
        expected: Option<Vec<u8>>,
        new: Bytes,
    },
}

/// The value that a change returns.
pub(crate) enum WriteOutput {
    Done,
    Sum(i64),
    Swap(CasOutcome),
}

/// The result of a change, sent after the commit.
pub(crate) type WriteResult = Result<WriteOutput, KeyValueError>;

/// The handle of the writer task.
pub(crate) struct Writer {
    commands: mpsc::Sender<Command>,
    queue_space: Arc<Semaphore>,
    task: TaskTracker,
}

enum Command {
    Change(Change),
    Close,
}

struct Change {
    bucket: Arc<str>,
    write: Write,
    reply: oneshot::Sender<WriteResult>,
    _queue_space: OwnedSemaphorePermit,
}

/// The state of the writer task.
struct Task {
    file: Arc<DatabaseFile>,
    durability: Durability,
    queue: mpsc::Receiver<Command>,
    /// Time of the first acknowledged change that is not on disk yet.
    unflushed_since: Option<Instant>,
}

type Entries<'t> = Table<'t, (&'static str, &'static str), &'static [u8]>;

// === impl Writer ===

impl Writer {
    pub(crate) fn start(file: Arc<DatabaseFile>, durability: Durability) -> Self {
        let (commands, queue) = mpsc::channel(QUEUE_MAX);
        let task = TaskTracker::new();
        task.spawn(
            Task {
                file,
                durability,
                queue,
                unflushed_since: None,
            }
            .run(),
        );
        task.close();
        Self {
            commands,
            queue_space: Arc::new(Semaphore::new(QUEUE_BYTES_MAX / QUEUE_BYTES_UNIT)),
            task,
        }
    }

    /// Makes a change. If the future is dropped after the change was queued, the change is still
    /// made.
    pub(crate) async fn write(&self, bucket: Arc<str>, write: Write) -> WriteResult {
        let queue_space = Arc::clone(&self.queue_space)
            .acquire_many_owned(write.queue_space())
            .await
            .map_err(|_| closed())?;
        let (reply, replied) = oneshot::channel();
        let change = Change {
            bucket,
            write,
            reply,
            _queue_space: queue_space,
        };
        self.commands
            .send(Command::Change(change))
            .await
            .map_err(|_| closed())?;
        // Every change gets a reply, unless redb panics in its transaction.
        replied.await.unwrap_or_else(|_| {
            Err(KeyValueError::Other(
                "the store failed during a write".to_owned(),
            ))
        })
    }

    /// Stops accepting changes, and waits until the queued ones are on disk and the file is closed.
    pub(crate) async fn close(&self) {
        // Fails if the task has already ended.
        let _ = self.commands.send(Command::Close).await;
        self.task.wait().await;
    }
}

fn closed() -> KeyValueError {
    KeyValueError::Other("the provider of the store is closed".to_owned())
}

// === impl Write ===

impl Write {
    /// The size of the change in the queue, in units.
    fn queue_space(&self) -> u32 {
        let bytes = match self {
            Self::Set(pairs) => pairs.iter().map(|(_, value)| value.len()).sum(),
            Self::Swap { expected, new, .. } => expected.as_ref().map_or(0, Vec::len) + new.len(),
            Self::Delete(_) | Self::Increment { .. } => 0,
        };
        let units = bytes.min(QUEUE_BYTES_MAX).div_ceil(QUEUE_BYTES_UNIT);
        u32::try_from(units).unwrap_or(u32::MAX)
    }
}

// === impl Task ===

impl Task {
    /// Runs until a close command, or until all handles are dropped, and the queue is empty.
    async fn run(mut self) {
        let mut commands = Vec::new();
        while self.next_group(&mut commands).await {
            let mut changes = Vec::with_capacity(commands.len());
            for command in commands.drain(..) {
                match command {
                    Command::Change(change) => changes.push(change),
                    Command::Close => self.queue.close(),
                }
            }
            self.commit(changes).await;
        }
        if self.unflushed_since.is_some() {
            self.commit_with(Vec::new(), redb::Durability::Immediate)
                .await;
        }
        let file = self.file;
        // Closing writes the state of the allocator.
        let _ = tokio::task::spawn_blocking(move || file.close()).await;
    }

    /// Waits for changes, or for the time to flush, which leaves `commands` empty. Returns `false`
    /// at the end.
    async fn next_group(&mut self, commands: &mut Vec<Command>) -> bool {
        let Some(since) = self.unflushed_since else {
            return self.queue.recv_many(commands, GROUP_MAX).await > 0;
        };
        tokio::select! {
            received = self.queue.recv_many(commands, GROUP_MAX) => received > 0,
            () = tokio::time::sleep_until(since + FLUSH_PERIOD) => true,
        }
    }

    async fn commit(&mut self, changes: Vec<Change>) {
        let now = Instant::now();
        let since = *self.unflushed_since.get_or_insert(now);
        let is_due = now.duration_since(since) >= FLUSH_PERIOD;
        if self.durability == Durability::Immediate || is_due {
            self.unflushed_since = None;
            self.commit_with(changes, redb::Durability::Immediate).await;
        } else {
            self.commit_with(changes, redb::Durability::None).await;
        }
    }

    async fn commit_with(&self, changes: Vec<Change>, durability: redb::Durability) {
        let file = Arc::clone(&self.file);
        let committing = tokio::task::spawn_blocking(move || commit(&file, changes, durability));
        if let Err(error) = committing.await {
            tracing::error!(%error, "a transaction of a store panicked; its changes are lost");
        }
    }
}

/// Applies all `changes` in one transaction, and sends the replies.
fn commit(file: &DatabaseFile, changes: Vec<Change>, durability: redb::Durability) {
    match file.with(|database| apply(database, &changes, durability)) {
        // Sending fails if the caller was dropped.
        Ok(outcomes) => changes
            .into_iter()
            .zip(outcomes)
            .for_each(|(change, outcome)| {
                let _ = change.reply.send(outcome);
            }),
        Err(error) => changes.into_iter().for_each(|change| {
            let _ = change.reply.send(Err(error.clone()));
        }),
    }
}

fn apply(
    database: &Database,
    changes: &[Change],
    durability: redb::Durability,
) -> Result<Vec<WriteResult>, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(durability)?;
    let mut entries = transaction.open_table(ENTRIES)?;
    let outcomes = changes
        .iter()
        .map(|change| apply_one(&mut entries, &change.bucket, &change.write));
    let outcomes = outcomes.collect::<Result<_, _>>()?;
    drop(entries);
    transaction.commit()?;
    Ok(outcomes)
}

/// Applies one change. The outer error aborts the transaction of all changes; the inner one belongs
/// to this change alone, which then has not changed anything.
fn apply_one(
    entries: &mut Entries<'_>,
    bucket: &str,
    write: &Write,
) -> Result<WriteResult, redb::Error> {
    match write {
        Write::Set(pairs) => {
            for (key, value) in pairs {
                entries.insert((bucket, key.as_str()), value.as_ref())?;
            }
            Ok(Ok(WriteOutput::Done))
        }
        Write::Delete(keys) => {
            for key in keys {
                entries.remove((bucket, key.as_str()))?;
            }
            Ok(Ok(WriteOutput::Done))
        }
        Write::Increment { key, delta } => increment(entries, (bucket, key), *delta),
        Write::Swap { key, expected, new } => {
            swap(entries, (bucket, key), expected.as_deref(), new)
        }
    }
}

fn increment(
    entries: &mut Entries<'_>,
    key: (&str, &str),
    delta: i64,
) -> Result<WriteResult, redb::Error> {
    let sum = add_to_counter(entries.get(key)?.as_ref().map(|value| value.value()), delta);
    let Ok(number) = sum else {
        return Ok(sum.map(WriteOutput::Sum));
    };
    entries.insert(key, number.to_string().as_bytes())?;
    Ok(Ok(WriteOutput::Sum(number)))
}

fn swap(
    entries: &mut Entries<'_>,
    key: (&str, &str),
    expected: Option<&[u8]>,
    new: &[u8],
) -> Result<WriteResult, redb::Error> {
    let guard = entries.get(key)?;
    let current = guard.as_ref().map(|value| value.value());
    if current != expected {
        let current = current.map(Bytes::copy_from_slice);
        return Ok(Ok(WriteOutput::Swap(CasOutcome::Conflict { current })));
    }
    drop(guard);
    entries.insert(key, new)?;
    Ok(Ok(WriteOutput::Swap(CasOutcome::Swapped)))
}
