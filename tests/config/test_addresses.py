"""Addresses and URLs: which are taken, and which of them stay on this machine."""

from __future__ import annotations

import pytest

from router_service.config.addresses import (
    checked_base_url,
    checked_listen_address,
    checked_tcp_address,
    is_far_address,
    is_plain_http_to_far,
)
from router_service.config.problem import Refusal


@pytest.mark.parametrize(
    "address", ["127.0.0.1:50051", "localhost:0", "[::1]:65535", "router.internal:1", "unix:/run/a.sock", "unix:a.sock"]
)
def test_listen_addresses_that_are_taken(address: str) -> None:
    assert checked_listen_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "50051",
        ":50051",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:٣",
        "::1:50051",
        "a b:1",
        "a\n:1",
        "unix:",
        "unix:" + "a" * 108,
    ],
)
def test_listen_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(Refusal):
        checked_listen_address(address)


def test_a_socket_is_no_tcp_address() -> None:
    with pytest.raises(Refusal):
        checked_tcp_address("unix:/run/a.sock")


@pytest.mark.parametrize(
    ("address", "is_far"),
    [
        ("127.0.0.1:1", False),
        ("LocalHost:1", False),
        ("unix:/run/a.sock", False),
        ("0.0.0.0:1", True),
        ("[::]:1", True),
        ("router.example:1", True),
    ],
)
def test_far_addresses_are_those_that_do_not_stay_on_this_machine(address: str, is_far: bool) -> None:
    assert is_far_address(address) is is_far


def test_what_is_no_address_is_not_called_far() -> None:
    assert not is_far_address("router.example")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("simulator:/alder/v1/", "simulator:/alder/v1"),
    ],
)
def test_base_urls_that_are_taken(url: str, base: str) -> None:
    assert checked_base_url(url) == base


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "ftp://api.example.com",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user@api.example.com",
        "https://user:word@api.example.com",
        "https://@api.example.com",
        "https://api.example.com/v1?a=1",
        "https://api.example.com/v1?",
        "https://api.example.com/v1#a",
        "https://api.example.com:99999",
        "https://api.example.com:x",
        "https://api example.com",
        "https://api.example.com/\r\nx: 1",
        "https://[::1",
        "https://[zz]/",
        "https://-a/",
        "simulator:",
        "simulator:alder",
        "simulator:/",
        "simulator://alder/v1",
        "simulator:/alder?x",
    ],
)
def test_base_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Refusal) as caught:
        checked_base_url(url)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "is_far"),
    [
        ("https://api.example.com", False),
        ("http://api.example.com", True),
        ("http://8.8.8.8", True),
        ("http://169.254.169.254", True),
        ("http://0.0.0.0", True),
        ("http://127.0.0.1:1234", False),
        ("http://[::1]:1234", False),
        ("http://10.1.2.3", False),
        ("http://[fd00::1]", False),
        ("http://ollama:11434", False),
        ("http://box.local", False),
        ("simulator:/alder/v1", False),
    ],
)
def test_plain_http_is_for_private_hosts(url: str, is_far: bool) -> None:
    assert is_plain_http_to_far(url) is is_far
