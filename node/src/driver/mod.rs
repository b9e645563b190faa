//! The loop that owns `Core`: outcomes, commands, messages, timer, local work first.
