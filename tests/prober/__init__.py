"""Tests of `prober`."""
