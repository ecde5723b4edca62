"""The pure vocabulary and decisions: standard library only, no await, no clock, no randomness, no I/O."""
