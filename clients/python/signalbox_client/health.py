"""What the prober knows of the targets' health, for programs with and without asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from signalbox.v1.health_feed_pb2 import GetSnapshotRequest, Snapshot, WatchRequest
from signalbox.v1.health_feed_pb2_grpc import HealthFeedStub

from .client import STREAM_TIMEOUT_S
from .connection import AsyncConnection, Connection
from .endpoint import PROBER_ADDRESS, bounded, endpoint
from .errors import from_rpc

if TYPE_CHECKING:
    from signalbox.v1.health_feed_pb2_grpc import HealthFeedAsyncStub

SNAPSHOT_TIMEOUT_S = 5.0


class HealthClient(Connection):
    """A prober. Its arguments are those of Client; `address` may be a Unix socket, as in `unix:/path/prober.sock`."""

    def __init__(
        self,
        address: str = PROBER_ADDRESS,
        *,
        api_key: str | None = None,
        ca: str | Path | None = None,
        cert: str | Path | None = None,
        cert_key: str | Path | None = None,
        wait_for_ready: bool = True,
        allow_plaintext_key: bool = False,
    ) -> None:
        to = endpoint(
            address,
            api_key=api_key,
            ca=ca,
            cert=cert,
            cert_key=cert_key,
            is_patient=wait_for_ready,
            allow_plaintext_key=allow_plaintext_key,
        )
        super().__init__(to, 1)
        # Made once: on a channel that is closed, gRPC makes no stub but ends the process.
        [channel] = self._channels
        self._stub = HealthFeedStub(channel)

    def get_snapshot(self, *, timeout_s: float = SNAPSHOT_TIMEOUT_S) -> Snapshot:
        """The current snapshot. Raises a SignalboxError."""
        try:
            answer = self.raw.GetSnapshot(GetSnapshotRequest(), timeout=bounded(timeout_s), metadata=self.metadata())
        except grpc.RpcError as error:
            raise from_rpc(error) from error
        return answer.snapshot

    def watch(self, *, timeout_s: float = STREAM_TIMEOUT_S) -> Generator[Snapshot]:
        """The current snapshot and every later one, each a whole picture, so that a watcher who is late misses none.

        It ends with a SignalboxError, a DeadlineExceeded after `timeout_s` at the latest; calling it again goes on.
        """
        call = self.raw.Watch(WatchRequest(), timeout=bounded(timeout_s), metadata=self.metadata())
        has_begun = False
        try:
            for answer in call:
                has_begun = True
                yield answer.snapshot
        except grpc.RpcError as error:
            raise from_rpc(error, has_begun=has_begun) from error
        finally:
            call.cancel()

    @property
    def raw(self) -> HealthFeedStub:
        """The generated stub. Its calls raise grpc.RpcError and carry only what they are given."""
        return self._stub


class AsyncHealthClient(AsyncConnection):
    """HealthClient for asyncio, with the same names, arguments and errors."""

    def __init__(
        self,
        address: str = PROBER_ADDRESS,
        *,
        api_key: str | None = None,
        ca: str | Path | None = None,
        cert: str | Path | None = None,
        cert_key: str | Path | None = None,
        wait_for_ready: bool = True,
        allow_plaintext_key: bool = False,
    ) -> None:
        to = endpoint(
            address,
            api_key=api_key,
            ca=ca,
            cert=cert,
            cert_key=cert_key,
            is_patient=wait_for_ready,
            allow_plaintext_key=allow_plaintext_key,
        )
        super().__init__(to, 1)

    async def get_snapshot(self, *, timeout_s: float = SNAPSHOT_TIMEOUT_S) -> Snapshot:
        """The current snapshot. Raises a SignalboxError."""
        call = self.raw.GetSnapshot(GetSnapshotRequest(), timeout=bounded(timeout_s), metadata=self.metadata())
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()
        return answer.snapshot

    async def watch(self, *, timeout_s: float = STREAM_TIMEOUT_S) -> AsyncGenerator[Snapshot]:
        """HealthClient.watch for `async for`; close it with contextlib.aclosing where the loop may be left."""
        call = self.raw.Watch(WatchRequest(), timeout=bounded(timeout_s), metadata=self.metadata())
        has_begun = False
        try:
            async for answer in call:
                has_begun = True
                yield answer.snapshot
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, has_begun=has_begun) from error
        finally:
            call.cancel()

    @property
    def raw(self) -> HealthFeedAsyncStub:
        """The generated stub. Its calls raise grpc.aio.AioRpcError; cancel each in a `finally`."""
        [channel] = self._opened()
        return HealthFeedStub(channel)
