//! The command line: nouns first, one file a noun.
