"""Tests of what every gRPC server of ours has."""
