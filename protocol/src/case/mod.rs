//! The case: its states, the rules that open it, the owner's side and the reader's side.

pub mod owner;
pub mod reader;
pub mod rules;
pub mod state;

pub use state::State;
