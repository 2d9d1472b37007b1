//! A key-value provider that keeps its data in memory.
