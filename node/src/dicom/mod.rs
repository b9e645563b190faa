//! The DICOM gateway: C-ECHO and C-STORE, splitting, rebuilding, and a synthetic study.
