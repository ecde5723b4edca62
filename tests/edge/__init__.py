"""Tests of the conversion between the wire and core values."""
