//! The journal, and the sinks that follow it.
