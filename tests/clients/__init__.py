"""Tests of the clients, each against real servers."""
