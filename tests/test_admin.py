"""Admin over gRPC against a running router: targets in pages, with filters, and one by one."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from signalbox.v1 import admin_pb2, admin_pb2_grpc, health_feed_pb2

from tests.harness import processes, settings
from tests.harness.stack import refused

NOWHERE = "http://127.0.0.1:1/v1"
NAMES = ["alder/chat-small", "birch/chat-small", "cedar/chat-small"]


@pytest.fixture(scope="module")
def admin() -> Iterator[admin_pb2_grpc.AdminStub]:
    with processes.short_directory() as directory:
        providers = [
            settings.provider("cedar", NOWHERE, key_env="A_KEY_THAT_NOBODY_SETS"),
            settings.provider("alder", NOWHERE),
            settings.provider("birch", NOWHERE),
        ]
        router = processes.router(directory, settings.write(directory, providers))
        with processes.running(router), grpc.insecure_channel(router.ready["router"]) as channel:
            yield admin_pb2_grpc.AdminStub(channel)


def listed(admin: admin_pb2_grpc.AdminStub, **asked: object) -> admin_pb2.ListTargetsResponse:
    return admin.ListTargets(admin_pb2.ListTargetsRequest(**asked))  # type: ignore[arg-type]


def test_targets_come_by_id_with_those_that_lack_a_key(admin: admin_pb2_grpc.AdminStub) -> None:
    found = listed(admin)
    assert ([t.id for t in found.targets], found.next_page_token) == (NAMES, "")
    enabled, no_key = admin_pb2.AVAILABILITY_ENABLED, admin_pb2.AVAILABILITY_NO_KEY
    assert [t.availability for t in found.targets] == [enabled, enabled, no_key]
    assert "A_KEY_THAT_NOBODY_SETS" in found.targets[2].availability_detail
    assert found.targets[0].health.state == health_feed_pb2.HEALTH_STATE_UNKNOWN


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_hold_every_target_once(admin: admin_pb2_grpc.AdminStub, size: int) -> None:
    found, token = [], ""
    for _ in range(len(NAMES)):
        page = listed(admin, page_size=size, page_token=token)
        found += [t.id for t in page.targets]
        token = page.next_page_token
        if not token:
            break
        assert len(page.targets) == size
    assert (found, token) == (NAMES, "")


def test_filters(admin: admin_pb2_grpc.AdminStub) -> None:
    assert [t.id for t in listed(admin, provider="birch").targets] == NAMES[1:2]
    assert [t.id for t in listed(admin, availability=admin_pb2.AVAILABILITY_NO_KEY).targets] == NAMES[2:]
    assert not listed(admin, provider="nobody").targets
    first = listed(admin, page_size=1, availability=admin_pb2.AVAILABILITY_ENABLED)
    second = listed(admin, page_size=1, availability=admin_pb2.AVAILABILITY_ENABLED, page_token=first.next_page_token)
    assert ([t.id for t in second.targets], second.next_page_token) == (NAMES[1:2], "")


def test_one_target(admin: admin_pb2_grpc.AdminStub) -> None:
    found = admin.GetTarget(admin_pb2.GetTargetRequest(target=NAMES[0]))
    assert found.target == listed(admin).targets[0]


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (admin_pb2.ListTargetsRequest(page_size=-1), {"page_size"}),
        (admin_pb2.ListTargetsRequest(page_size=1001, page_token="nonsense"), {"page_size", "page_token"}),  # noqa: S106 - no secret
        (admin_pb2.ListTargetsRequest(availability=77), {"availability"}),  # type: ignore[arg-type]
    ],
)
def test_bad_page_is_refused_by_field(
    admin: admin_pb2_grpc.AdminStub, request_: admin_pb2.ListTargetsRequest, fields: set[str]
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        admin.ListTargets(request_)
    refusal = refused(caught.value)
    assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert set(refusal.fields) == fields
    assert refusal.facts["request_id"].startswith("req-")


def test_token_of_another_list_is_refused(admin: admin_pb2_grpc.AdminStub) -> None:
    token = listed(admin, page_size=1).next_page_token
    with pytest.raises(grpc.RpcError) as caught:
        listed(admin, provider="alder", page_token=token)
    assert set(refused(caught.value).fields) == {"page_token"}


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ("nobody/none", grpc.StatusCode.NOT_FOUND, "UNKNOWN_TARGET"),
    ],
)
def test_target_that_is_not_there(
    admin: admin_pb2_grpc.AdminStub, name: str, code: grpc.StatusCode, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        admin.GetTarget(admin_pb2.GetTargetRequest(target=name))
    refusal = refused(caught.value)
    assert (refusal.code, refusal.info.reason) == (code, reason)


def test_what_is_not_built_says_so(admin: admin_pb2_grpc.AdminStub) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        admin.CreateTarget(admin_pb2.CreateTargetRequest())
    assert refused(caught.value).info.reason == "NOT_BUILT"
