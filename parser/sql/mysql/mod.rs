//! What only MySQL and MariaDB have.
//!
//! | file | what |
//! |---|---|
//! | `compound` | where statements begin and end inside of bodies and blocks |

mod compound;

pub(super) use compound::Compound;
