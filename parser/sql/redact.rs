//! Takes passwords out of a statement before anything is stored.
