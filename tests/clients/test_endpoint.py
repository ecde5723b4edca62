"""Where a client connects to, whatever its environment says of the web."""

from __future__ import annotations

import pytest
from signalbox_client import Client

from tests.clients.playing_router import PlayingRouter, serving

NOWHERE = "http://127.0.0.1:9"


def test_a_proxy_of_the_environment_is_not_asked_for_a_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(PlayingRouter()) as address, Client(address) as client:
        assert client.complete("Hello").message.content
