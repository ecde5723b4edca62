"""Tests of the dialects and of the transport."""
