"""The contract's own package; everything is in its versions."""
