//! The audit event: its parts, its JSON form, its encoded batch.
