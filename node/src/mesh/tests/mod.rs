//! Real swarms on loopback.
