"""The only code that talks to model vendors: a pure codec per dialect, and one transport that does the I/O."""
