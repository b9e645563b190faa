//! The control socket: JSON lines on a Unix socket that only the node's own user can open.
//!
//! One request a line, `{"cmd": "…", …}`; one answer a line, `{"ok": …}` or `{"error": "…"}`. A
//! connection may carry any number of them, one after the other.

pub mod client;
mod duties;
mod server;
pub mod timeline;
pub mod view;
pub mod wire;

pub use duties::{Duties, Planned, ReviewText, SignedReview};
pub use server::{ControlError, Facts, Server};
