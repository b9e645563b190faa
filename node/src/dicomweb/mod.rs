//! QIDO-RS and WADO-RS on loopback, for the desk.
