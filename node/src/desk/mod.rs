//! The reading desk without a page: fetch, verify, hold in memory, report.
