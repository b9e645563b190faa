//! A whole network on this machine: real processes, one case from arrival to verified audit.
