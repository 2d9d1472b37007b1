//! A key-value provider that keeps its data in one embedded database file.
