"""Tests of router_service.store."""
