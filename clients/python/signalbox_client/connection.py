"""What all clients share: their channels, what each call carries, and the end of it all."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import grpc

from .endpoint import Endpoint, Metadata


class Connection:
    """The base of the clients without asyncio. It owns its channels, also those that were handed to it."""

    def __init__(self, to: Endpoint, channels: int | Sequence[grpc.Channel]) -> None:
        self._endpoint = to
        self._channels = _opened(to, channels) if isinstance(channels, int) else channels

    def metadata(self) -> Metadata:
        """What this client's calls carry: the key and the current trace."""
        return self._endpoint.metadata()

    def close(self) -> None:
        """End all calls and connections."""
        for channel in self._channels:
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncConnection:
    """The base of the clients for asyncio. Channels are made in the loop that first asks for them, because they cannot
    be moved to another.
    """

    def __init__(self, to: Endpoint, channels: int) -> None:
        _check(channels)
        self._endpoint = to
        self._count = channels
        self._channels: list[grpc.aio.Channel] = []

    def metadata(self) -> Metadata:
        """What this client's calls carry: the key and the current trace."""
        return self._endpoint.metadata()

    async def close(self) -> None:
        """End all calls and connections."""
        for channel in self._channels:
            await channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _opened(self) -> list[grpc.aio.Channel]:
        if not self._channels:
            credentials = self._endpoint.credentials()
            self._channels = [self._open(number, credentials) for number in range(self._count)]
        return self._channels

    def _open(self, number: int, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
        address, options = self._endpoint.address, self._endpoint.options(number)
        if credentials is None:
            return grpc.aio.insecure_channel(address, options)
        return grpc.aio.secure_channel(address, credentials, options)


def _opened(to: Endpoint, count: int) -> list[grpc.Channel]:
    """Channels to one endpoint, each with a connection of its own, made when first used."""
    _check(count)
    credentials = to.credentials()
    if credentials is None:
        return [grpc.insecure_channel(to.address, to.options(number)) for number in range(count)]
    return [grpc.secure_channel(to.address, credentials, to.options(number)) for number in range(count)]


def _check(count: int) -> None:
    if count < 1:
        raise ValueError(f"channels is {count}; it has to be 1 or more")
