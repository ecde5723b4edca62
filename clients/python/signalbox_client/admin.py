"""What those who run a router ask of it, for programs with and without asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from signalbox.v1.admin_pb2 import Availability, GetTargetRequest, ListTargetsRequest, Target
from signalbox.v1.admin_pb2_grpc import AdminStub

from .connection import AsyncConnection, Connection
from .endpoint import bounded, endpoint, router_address
from .errors import from_rpc

if TYPE_CHECKING:
    from signalbox.v1.admin_pb2_grpc import AdminAsyncStub

TIMEOUT_S = 10.0
"""For each call; a list takes one call a page."""
PAGE_SIZE = 500


class AdminClient(Connection):
    """A router, as its operator sees it. The arguments are those of Client; the key needs the role `operator`."""

    def __init__(
        self,
        address: str | None = None,
        *,
        api_key: str | None = None,
        ca: str | Path | None = None,
        cert: str | Path | None = None,
        cert_key: str | Path | None = None,
        wait_for_ready: bool = True,
        allow_plaintext_key: bool = False,
    ) -> None:
        to = endpoint(
            router_address(address),
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
        self._stub = AdminStub(channel)

    def list_targets(
        self,
        *,
        provider: str = "",
        availability: Availability.ValueType = Availability.AVAILABILITY_UNSPECIFIED,
        timeout_s: float = TIMEOUT_S,
    ) -> Iterator[Target]:
        """All targets by id, or those of one provider or availability, read page by page. Raises a SignalboxError."""
        request = _first_page(provider, availability)
        while True:
            try:
                page = self.raw.ListTargets(request, timeout=bounded(timeout_s), metadata=self.metadata())
            except grpc.RpcError as error:
                raise from_rpc(error) from error
            yield from page.targets
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def get_target(self, target: str, *, timeout_s: float = TIMEOUT_S) -> Target:
        """One target by its id. Raises a SignalboxError, Refused where there is no such target."""
        request = GetTargetRequest(target=target)
        try:
            return self.raw.GetTarget(request, timeout=bounded(timeout_s), metadata=self.metadata()).target
        except grpc.RpcError as error:
            raise from_rpc(error) from error

    @property
    def raw(self) -> AdminStub:
        """The generated stub. Its calls raise grpc.RpcError and carry only what they are given."""
        return self._stub


class AsyncAdminClient(AsyncConnection):
    """AdminClient for asyncio, with the same names, arguments and errors."""

    def __init__(
        self,
        address: str | None = None,
        *,
        api_key: str | None = None,
        ca: str | Path | None = None,
        cert: str | Path | None = None,
        cert_key: str | Path | None = None,
        wait_for_ready: bool = True,
        allow_plaintext_key: bool = False,
    ) -> None:
        to = endpoint(
            router_address(address),
            api_key=api_key,
            ca=ca,
            cert=cert,
            cert_key=cert_key,
            is_patient=wait_for_ready,
            allow_plaintext_key=allow_plaintext_key,
        )
        super().__init__(to, 1)

    async def list_targets(
        self,
        *,
        provider: str = "",
        availability: Availability.ValueType = Availability.AVAILABILITY_UNSPECIFIED,
        timeout_s: float = TIMEOUT_S,
    ) -> AsyncGenerator[Target]:
        """AdminClient.list_targets for `async for`."""
        request = _first_page(provider, availability)
        while True:
            call = self.raw.ListTargets(request, timeout=bounded(timeout_s), metadata=self.metadata())
            try:
                page = await call
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from error
            finally:
                call.cancel()
            for target in page.targets:
                yield target
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get_target(self, target: str, *, timeout_s: float = TIMEOUT_S) -> Target:
        """One target by its id. Raises a SignalboxError, Refused where there is no such target."""
        request = GetTargetRequest(target=target)
        call = self.raw.GetTarget(request, timeout=bounded(timeout_s), metadata=self.metadata())
        try:
            return (await call).target
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()

    @property
    def raw(self) -> AdminAsyncStub:
        """The generated stub. Its calls raise grpc.aio.AioRpcError; cancel each in a `finally`."""
        [channel] = self._opened()
        return AdminStub(channel)


def _first_page(provider: str, availability: Availability.ValueType) -> ListTargetsRequest:
    return ListTargetsRequest(page_size=PAGE_SIZE, provider=provider, availability=availability)
