"""Which addresses stay on this machine, what listening elsewhere takes, and where no request is sent."""

from __future__ import annotations

import pytest

from router_service.core.addresses import is_local, is_metadata, unguarded


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


@pytest.mark.parametrize(
    ("address", "has_tls", "has_client_ca", "has_keys", "lacking"),
    [
        ("127.0.0.1:1", False, False, False, ""),
        ("unix:/run/r.sock", False, False, False, ""),
        ("0.0.0.0:1", False, False, False, "not authenticated"),
        ("0.0.0.0:1", False, False, True, "in the clear"),
        ("0.0.0.0:1", True, False, False, "only encrypted"),
        ("0.0.0.0:1", True, False, True, ""),
        ("0.0.0.0:1", True, True, False, ""),
        ("router.example:1", True, True, True, ""),
    ],
)
def test_other_machines_take_encryption_and_authentication(
    address: str, *, has_tls: bool, has_client_ca: bool, has_keys: bool, lacking: str
) -> None:
    found = unguarded(address, has_tls=has_tls, has_client_ca=has_client_ca, has_keys=has_keys)
    assert lacking in found
    assert bool(found) is bool(lacking)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "2852039166",
        "0xA9FEA9FE",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata",
    ],
)
def test_places_of_a_clouds_credentials_are_known(host: str) -> None:
    assert is_metadata(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "api.example.com", "metadata.example.com", "", "3232235777"]
)
def test_other_hosts_are_none_of_them(host: str) -> None:
    assert not is_metadata(host)
