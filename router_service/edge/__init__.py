"""Speaks protocols and decides nothing: gRPC servicers, and conversion between wire messages and core values."""
