"""Where a client connects to, whatever its environment says of the web."""

from __future__ import annotations

import pytest
from signalbox_client import Client, HealthClient
from signalbox_client.endpoint import checked_address

from tests.clients.playing_router import PlayingRouter, serving

NOWHERE = "http://127.0.0.1:9"


def test_a_proxy_of_the_environment_is_not_asked_for_a_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(PlayingRouter()) as address, Client(address) as client:
        assert client.complete("Hello").message.content


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:1",
        "router.example:65535",
        "[::1]:50051",
        "[::1]",
        "::1",
        "localhost",
        "dns:///router.example:50051",
        "dns:router.example",
        "ipv6:[::1]:50051",
        "ipv4:127.0.0.1:50051,127.0.0.2:50051",
        "unix:/run/99999:99999",
        "unix-abstract:99999",
    ],
)
def test_an_address_with_a_port_or_without_one_is_taken_as_it_is(address: str) -> None:
    assert checked_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:99999",
        "127.0.0.1:65536",
        "127.0.0.1:0",
        "127.0.0.1:-1",
        "127.0.0.1:",
        "127.0.0.1:50o51",
        "[::1]:70000",
        "dns:///router.example:99999",
        "ipv4:127.0.0.1:99999",
    ],
)
def test_a_port_that_is_none_is_refused_and_none_else_called(address: str) -> None:
    with pytest.raises(ValueError, match="from 1 to 65535"):
        Client(address)
    with pytest.raises(ValueError, match="from 1 to 65535"):
        HealthClient(address)
