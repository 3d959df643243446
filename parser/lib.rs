//! Wire protocols and SQL, pure: no sockets, no clock, no runtime.
