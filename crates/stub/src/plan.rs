//! Decides for each function of a set of interfaces how it crosses between stores.
