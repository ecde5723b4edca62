"""Tests of the pure vocabulary and decisions."""
