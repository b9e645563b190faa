//! The log writer: stage, commit the checkpoint, apply, publish, discard; and the witness role.
