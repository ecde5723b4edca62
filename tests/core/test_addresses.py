"""Which addresses stay on this machine."""

from __future__ import annotations

import pytest

from router_service.core.addresses import is_local


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1:50051", True),
        ("127.9.9.9:0", True),
        ("localhost:50051", True),
        ("LocalHost:50051", True),
        ("[::1]:50051", True),
        ("unix:/tmp/x.sock", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        ("10.0.0.1:50051", False),
        ("example.org:50051", False),
        ("localhost.example.org:50051", False),
        (":50051", False),
        ("", False),
    ],
)
def test_local_is_loopback_or_a_socket(address: str, *, local: bool) -> None:
    assert is_local(address) is local
