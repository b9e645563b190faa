//! From release to desk over streams in memory: a real study, a real server, and what goes wrong.

mod faults;
mod path;
mod rig;
