//! From release to desk over streams in memory.
