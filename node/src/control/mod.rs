//! The control socket: the command line talks to a running node through it.
