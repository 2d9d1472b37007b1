//! Mixes generated and typed functions in the instances that an importer sees.
