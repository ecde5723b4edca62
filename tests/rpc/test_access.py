"""Who may call what: keys, roles and their expiry, before a request's message is read."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from signalbox.v1 import admin_pb2, health_feed_pb2, router_pb2

from router_service.core.tenant import ApiKey, Role, Tenant
from router_service.rpc.access import Access, Leniency, current_caller, rights
from tests.harness.tools import ROOT
from tests.rpc.playing import PATIENCE_S, Context, PlayingRouter, Serving, asked, info, serving

pytestmark = pytest.mark.anyio

KEY = "sb-a-key-for-tests"
COMPLETE = "/signalbox.v1.Router/Complete"
CALLER, OPERATOR, ADMIN, REPORTER = Role.CALLER, Role.OPERATOR, Role.ADMIN, Role.HEALTH_REPORTER
METHODS = [
    f"/{service.full_name}/{method.name}"
    for file in (router_pb2, admin_pb2, health_feed_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
CONTRACT = (ROOT / "protos" / "signalbox" / "v1" / "admin.proto").read_text()
ADMIN_ROLES = {
    method: role
    for comment, method in re.findall(r"((?:^  //.*\n)+)  rpc (\w+)\(", CONTRACT, re.MULTILINE)
    for role in re.findall(r"[Tt]he role is\s+(?://\s+)?`(\w+)`", comment)
}
"""What the contract says of each method of Admin."""


class TellingRouter(PlayingRouter):
    """Answers with the name of the tenant that calls."""

    async def Complete(self, request: router_pb2.CompleteRequest, _context: Context) -> router_pb2.CompleteResponse:
        return router_pb2.CompleteResponse(request_id=f"{current_caller().tenant}/{request.request_id}")


def tenant(name: str = "web", key: str = KEY, role: Role = CALLER, expires_s: float | None = None) -> Tenant:
    return Tenant(name=name, keys=(ApiKey(digest=digest(key), role=role, expires_s=expires_s),))


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


@asynccontextmanager
async def guarded(access: Access) -> AsyncIterator[Serving]:
    async with serving(TellingRouter(), access=access) as running:
        yield running


def access(*tenants: Tenant, leniency: Leniency | None = None) -> Access:
    made = Access(leniency or Leniency())
    made.adopt(tenants)
    return made


async def complete(running: Serving, *metadata: tuple[str, str]) -> str:
    answer = await running.stub.Complete(asked(), timeout=PATIENCE_S, metadata=metadata)
    return answer.request_id


async def refused(running: Serving, *metadata: tuple[str, str]) -> tuple[str, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await complete(running, *metadata)
    assert KEY not in str(caught.value.debug_error_string())
    return caught.value.code().name, info(caught.value).reason, caught.value.details() or ""


def bearer(key: str = KEY) -> tuple[str, str]:
    return ("authorization", f"Bearer {key}")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_the_contract_has_its_roles(method: str) -> None:
    _, service, name = method.rsplit("/", 2)
    match service.rpartition(".")[2]:
        case "Router":
            expected = {CALLER, OPERATOR, ADMIN}
        case "Admin":
            expected = {Role(ADMIN_ROLES[name]), ADMIN}
        case _:
            expected = {REPORTER, ADMIN} if name == "Report" else {OPERATOR, ADMIN, REPORTER}
    assert rights(method) == expected


def test_what_nobody_thought_of_is_the_admins() -> None:
    assert rights("/signalbox.v1.Admin/Explode") == {ADMIN}


async def test_without_tenants_nobody_is_asked() -> None:
    async with guarded(access()) as running:
        assert await complete(running) == "/req-1"
        assert await complete(running, bearer("whatever")) == "/req-1"


async def test_a_key_tells_the_tenant() -> None:
    async with guarded(access(tenant(), tenant("batch", "another"))) as running:
        assert await complete(running, bearer()) == "web/req-1"
        assert await complete(running, ("authorization", f"bearer  {KEY} ")) == "web/req-1"
        assert await complete(running, bearer("another")) == "batch/req-1"


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ((), "asks for a key"),
        ((("authorization", KEY),), "asks for a key"),
        ((("authorization", "Basic d2Vi"),), "asks for a key"),
        ((bearer(), bearer("another")), "asks for a key"),
        ((("x-api-key", KEY),), "asks for a key"),
        ((bearer("another"),), "does not know the key"),
        ((bearer(KEY[:-1]),), "does not know the key"),
        ((bearer(KEY + "x"),), "does not know the key"),
        ((bearer(""),), "does not know the key"),
        ((bearer(digest(KEY).hex()),), "does not know the key"),
        ((bearer(f"sha256:{digest(KEY).hex()}"),), "does not know the key"),
    ],
)
async def test_who_has_no_key_that_counts_is_unauthenticated(metadata: tuple[tuple[str, str], ...], text: str) -> None:
    async with guarded(access(tenant())) as running:
        code, reason, message = await refused(running, *metadata)
    assert (code, reason) == ("UNAUTHENTICATED", "CREDENTIALS")
    assert text in message


async def test_keys_that_begin_alike_are_told_apart() -> None:
    digests = [b"same-mark" + bytes(23), b"same-mark" + bytes([1] * 23), digest(KEY)]
    everyone = [Tenant(name=f"t{i}", keys=(ApiKey(digest=d),)) for i, d in enumerate(digests)]
    async with guarded(access(*everyone, Tenant(name="t3", keys=(ApiKey(digest=digest(KEY)[:31] + b"x"),)))) as running:
        assert await complete(running, bearer()) == "t2/req-1"


async def test_a_key_expires() -> None:
    now = 1000.0
    guard = Access(Leniency(), clock=lambda: now)
    guard.adopt([tenant(expires_s=1001.0)])
    async with guarded(guard) as running:
        assert await complete(running, bearer()) == "web/req-1"
        now = 1001.0
        assert (await refused(running, bearer()))[1:] == (
            "CREDENTIALS",
            "this key has expired; ask whoever runs the server for a new one",
        )


async def test_a_role_that_does_not_suffice_is_named() -> None:
    async with guarded(access(tenant(role=REPORTER))) as running:
        code, reason, message = await refused(running, bearer())
    assert (code, reason) == ("PERMISSION_DENIED", "ROLE")
    assert message == "Router/Complete takes a key with the role admin or caller or operator"


async def test_keys_come_and_go_while_it_serves() -> None:
    guard = access(tenant())
    async with guarded(guard) as running:
        guard.adopt([tenant("web", "new"), Tenant(name="kept-out")])
        assert (await refused(running, bearer()))[1] == "CREDENTIALS"
        assert await complete(running, bearer("new")) == "web/req-1"
        guard.adopt([])
        assert await complete(running) == "/req-1"


def test_it_tells_whether_anybody_is_another_caller() -> None:
    guard = access()
    assert guard.adopt([tenant()])
    assert not guard.adopt([tenant(), tenant("batch", "another")])
    assert guard.adopt([tenant("renamed"), tenant("batch", "another")])
    assert guard.adopt([tenant("renamed")])
    assert guard.adopt([])


async def test_a_port_that_nothing_else_guards_stays_shut_without_tenants() -> None:
    guard = access(tenant(), leniency=Leniency(unknown=frozenset()))
    async with guarded(guard) as running:
        assert await complete(running, bearer()) == "web/req-1"
        guard.adopt([])
        assert (await refused(running))[1] == "CREDENTIALS"
        assert (await refused(running, bearer()))[1] == "CREDENTIALS"


async def test_health_is_told_to_everybody() -> None:
    async with guarded(access(tenant())) as running:
        await running.standard.ready()
        stub = health_pb2_grpc.HealthStub(running.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_nobody_waits_for_the_message_of_a_stranger() -> None:
    async with guarded(access(tenant())) as running, asyncio.timeout(PATIENCE_S):
        call: Any = running.channel.stream_unary(COMPLETE)(timeout=PATIENCE_S * 2)
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
