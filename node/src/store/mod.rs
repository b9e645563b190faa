//! The study store: sealed files by digest, and the one index that names RocksDB.
