"""The Admin service over gRPC: what a running router's targets are and how they stand, for those who run it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NoReturn, TypeAlias

import grpc
from signalbox.v1 import admin_pb2, admin_pb2_grpc

from router_service.core.catalog import Target
from router_service.core.errors import Facts, InvalidRequest, RequestFailed, SignalboxError, UnknownTarget, Violation
from router_service.core.plan import View
from router_service.edge import pages, targets
from router_service.edge.pages import Page
from router_service.rpc.request_id import REQUEST_ID, new_request_id
from router_service.rpc.unbuilt import refuse_unbuilt

ADMIN = "signalbox.v1.Admin"
MAX_PAGE_BYTES = 3 * 1024 * 1024
"""Clients of gRPC take 4 MiB by default."""
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class GrpcAdmin(admin_pb2_grpc.AdminServicer):
    """`view` gives the catalogue and how its targets stand; `dialects` are the ones that this router speaks.

    Methods that are not overridden here answer UNIMPLEMENTED.
    """

    def __init__(self, *, view: Callable[[], View], dialects: Collection[str]) -> None:
        self._view = view
        self._dialects = frozenset(dialects)
        refuse_unbuilt(self, admin_pb2_grpc.AdminServicer)

    async def ListTargets(
        self, request: admin_pb2.ListTargetsRequest, _context: Context
    ) -> admin_pb2.ListTargetsResponse:
        view = self._view()
        page = _page(request)
        following = sorted((t for t in view.catalog.targets if t.id > page.after), key=lambda target: target.id)
        response = admin_pb2.ListTargetsResponse()
        room = MAX_PAGE_BYTES
        for target in (t for t in following if self._is_wanted(t, request)):
            message = targets.target(target, view, self._dialects)
            room -= message.ByteSize()
            if len(response.targets) == page.size or (response.targets and room < 0):
                response.next_page_token = page.token(response.targets[-1].id)
                break
            response.targets.append(message)
        return response

    async def GetTarget(self, request: admin_pb2.GetTargetRequest, _context: Context) -> admin_pb2.GetTargetResponse:
        view = self._view()
        if not request.target:
            _fail(InvalidRequest([Violation("target", "is required; ListTargets lists the ids")]))
        found = view.catalog.by_id.get(request.target)
        if found is None:
            _fail(
                UnknownTarget(
                    f"no target {request.target[:256]!r} is configured; Admin.ListTargets says which ones are"
                )
            )
        return admin_pb2.GetTargetResponse(target=targets.target(found, view, self._dialects))

    def _is_wanted(self, target: Target, request: admin_pb2.ListTargetsRequest) -> bool:
        if request.provider and target.provider.name != request.provider:
            return False
        return not request.availability or targets.availability(target, self._dialects)[0] == request.availability


def _page(request: admin_pb2.ListTargetsRequest) -> Page:
    """The page that is asked for. Raises InvalidRequest, with the request's id around it."""
    violations = [*pages.objections(request.page_size)]
    if request.availability not in admin_pb2.Availability.values():
        violations.append(Violation("availability", f"{request.availability} is no value of Availability"))
    page = pages.read(request.page_size, request.page_token, question=f"{request.provider} {request.availability}")
    if page is None:
        violations.append(Violation("page_token", "is not from the page before; leave it empty to begin anew"))
    if violations or page is None:
        _fail(InvalidRequest(violations))
    return page


def _fail(error: SignalboxError) -> NoReturn:
    """Every refusal carries an id that its caller can quote."""
    request_id = new_request_id()
    REQUEST_ID.set(request_id)
    raise RequestFailed(error, Facts(request_id=request_id)) from error
