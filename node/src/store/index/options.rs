//! How RocksDB is set up: small, checked, and never acknowledging what is not on disk.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel,
    Options, WriteOptions,
};

use super::Family;

/// Blocks kept decoded in memory, over all column families. A reading desk is a laptop.
const BLOCK_CACHE_BYTES: usize = 16 * 1024 * 1024;
/// Memory of one column family's unflushed writes; two may exist at a time.
const WRITE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Memory of all unflushed writes together.
const WRITE_BUFFERS_BYTES: usize = 32 * 1024 * 1024;
/// Log files kept for recovery before the oldest column family is flushed: bounds start-up time.
const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Table files held open. Sealed bulk files and sockets need descriptors too.
const OPEN_FILES_MAX: i32 = 256;
/// RocksDB's own text log: what it did, never what it stored.
const TEXT_LOG_BYTES_MAX: usize = 1024 * 1024;
/// How many of those text logs stay.
const TEXT_LOGS_MAX: usize = 4;
/// Threads for flush and compaction: two cores are the smallest machine.
const BACKGROUND_JOBS: i32 = 2;
/// Bits a key in the bloom filters: 1 % false positives. Most lookups ask for what is not there.
const BLOOM_BITS: f64 = 10.0;

/// Options of the database as a whole.
pub(super) fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    // A log that is missing or shorter than what was synced is an error, not an older state.
    options.set_track_and_verify_wals_in_manifest(true);
    // A record cut off at the very end was never acknowledged, so it is dropped. Damage anywhere
    // before that is refused; RocksDB's default would go back to before it without a word.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_background_jobs(BACKGROUND_JOBS);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(TEXT_LOG_BYTES_MAX);
    options.set_keep_log_file_num(TEXT_LOGS_MAX);
    options
}

/// Options of each column family, around one shared cache.
pub(super) fn families(families: &[Family]) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    families
        .iter()
        .map(|family| ColumnFamilyDescriptor::new(family.name(), one_family(&cache)))
        .collect()
}

fn one_family(cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_bloom_filter(BLOOM_BITS, false);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    // Sealed values do not compress.
    options.set_compression_type(DBCompressionType::None);
    options
}

/// Every write is on disk before the call returns.
pub(super) fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}
