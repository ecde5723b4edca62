"""Tests against real processes and servers on loopback, and tables and properties for the pure core."""
