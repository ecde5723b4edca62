"""Tests of `health`."""
