//! A configuration provider whose values stand in the manifest.
