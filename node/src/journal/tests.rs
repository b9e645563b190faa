//! The log survives a stop at every step.
