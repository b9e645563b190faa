//! The node's TOML: one documented struct tree, unknown keys refused.
