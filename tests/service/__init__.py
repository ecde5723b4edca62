"""Tests of the service in one process, where a step of a single task can be told from the next."""
