"""The protobuf contract: its names, its comments, its lint, and that the generated stubs say what the protos say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).resolve().parent.parent
FILES = ("admin", "chat", "error_reason", "health_feed", "router")

SERVER_STREAMS = {
    "Router.StreamComplete",
    "Router.BatchComplete",
    "HealthFeed.Watch",
    "Admin.ExportUsage",
    "Admin.BenchmarkStrategies",
}
METHODS = SERVER_STREAMS | {
    "Router.Route",
    "Router.Complete",
    "Router.Embed",
    "Router.RecordFeedback",
    "Router.RecordOutcome",
    "Router.DeleteSession",
    "HealthFeed.GetSnapshot",
    "HealthFeed.Report",
    "Admin.ListTargets",
    "Admin.GetTarget",
    "Admin.CreateTarget",
    "Admin.DeleteTarget",
    "Admin.SetTargetAvailability",
    "Admin.GetStatistics",
    "Admin.GetCostReport",
    "Admin.ListRecommendations",
    "Admin.ListDecisions",
    "Admin.GetConfig",
    "Admin.ValidateConfig",
    "Admin.ApplyConfig",
    "Admin.ReloadConfig",
}

# The names that clients are written against. A message may have further fields, but it never loses one of these.
FIELDS = {
    "Message": "role content parts tool_calls tool_call_id name reasoning",
    "Reasoning": "text opaque_state dialect model",
    "ToolCall": "id name arguments_json opaque_state",
    "Tool": "name description parameters_json strict",
    "ToolChoice": "mode name",
    "ResponseFormat": "text json_object json_schema",
    "Generation": "max_output_tokens temperature top_p seed stop frequency_penalty presence_penalty reasoning_effort",
    "Usage": "input_tokens output_tokens cached_input_tokens cache_write_tokens reasoning_tokens estimated",
    "Routing": "model task_type complexity strategy budget_tier region environment speed_critical prefer_cheap "
    "allowed_providers denied_providers required_compliance requires_compliance requires_sla prefer_self_hosted "
    "max_cost_usd_nanos max_latency min_quality max_attempts disable_fallback hedge resume_on_failure weights "
    "required_capabilities preferred_capabilities allow_paid_embeddings decision_id mock",
    "RouteRequest": "messages tools response_format generation routing estimated_input_tokens view max_candidates",
    "RouteResponse": "plan",
    "Plan": "target fallbacks candidates strategy rule reason task_type complexity inferred estimated_cost_usd_nanos "
    "estimated_cost_usd_nanos_per_million_tokens expected_latency expected_quality snapshot config_version decision_id "
    "rejected_by_reason",
    "Candidate": "target provider model preference_class score factors rejection",
    "Candidate.Factor": "name points max_points value note",
    "Candidate.Rejection": "reason detail",
    "SnapshotInfo": "epoch sequence age source",
    "CompleteRequest": "request_id idempotency_key messages tools tool_choice response_format generation routing cache "
    "session_id labels plan_view rerun_uncertain",
    "CompleteResponse": "request_id message finish_reason usage target provider model cost_usd_nanos attempts cached "
    "replayed latency plan",
    "Attempt": "target outcome error_reason status_code start_time latency time_to_first_token usage cost_usd_nanos "
    "maybe_billed hedged",
    "StreamCompleteRequest": "request",
    "StreamCompleteResponse": "started delta attempt_failed resumed done",
    "Started": "request_id target attempts",
    "Delta": "content reasoning tool_call_deltas",
    "Resumed": "from_target to_target delivered_characters",
    "Done": "response time_to_first_token",
    "BatchCompleteRequest": "items",
    "BatchCompleteResponse": "index status response",
    "Snapshot": "epoch sequence produced_time prober_id targets providers reporters",
    "TargetHealth": "target state state_age traffic_share success_rate success_rate_lower consecutive_failures samples "
    "in_flight latency time_to_first_token output_tokens_per_second last_error last_probe_time probe_span last_probe",
    "ProviderHealth": "provider blocked_for block_reason windows",
    "QuotaWindow": "unit limit remaining resets_in models free",
    "ReporterProgress": "reporter_id merged_sequence",
    "ReportRequest": "reporter_id sequence targets age providers",
    "ProviderReport": "provider windows",
    "TargetReport": "target outcomes latency time_to_first_token output_tokens output_seconds in_flight "
    "trailing_failures blocked_for block_reason last_error leading_failures longest_failures",
    "LatencySketch": "bucket_indexes bucket_counts sum_seconds",
    "ReportResponse": "accepted_sequence next_report_after",
}

REASONS = (
    "CALLER_DEADLINE UPSTREAM_CONNECT UPSTREAM_DNS UPSTREAM_TLS UPSTREAM_TIMEOUT UPSTREAM_5XX UPSTREAM_BAD_RESPONSE "
    "UPSTREAM_REDIRECT UPSTREAM_MIXED PROVIDERS_RATE_LIMITED CALLER_QUOTA ROUTER_OVERLOADED ROUTER_DRAINING "
    "NO_ELIGIBLE_TARGET INVALID_REQUEST MALFORMED_MESSAGE UPSTREAM_RESPONSE_TOO_LARGE UPSTREAM_REJECTED_REQUEST "
    "CONTEXT_TOO_LONG UPSTREAM_CREDENTIALS STREAM_INTERRUPTED CREDENTIALS ROLE UNKNOWN_TARGET UNKNOWN_SESSION "
    "UNKNOWN_REQUEST UNKNOWN_DECISION KEY_IN_PROGRESS KEY_REUSED KEY_UNCERTAIN STALE_ETAG SESSION_BUSY "
    "TARGETS_SATURATED SLOW_READER STREAM_LIMIT CONTENT_FILTERED NOT_BUILT INTERNAL"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    """Our files as the compiler sees them, with their comments."""
    image = tmp_path_factory.mktemp("protos") / "image.binpb"
    result = generate("--image", str(image))
    assert result.returncode == 0, result.stderr
    every = FileDescriptorSet.FromString(image.read_bytes()).file
    return [file for file in every if file.name.startswith("signalbox/")]


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "protos" / "generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_generated_stubs_are_current() -> None:
    result = generate("--check")
    assert result.returncode == 0, result.stderr


def test_lint_passes() -> None:
    result = generate("--lint")
    assert result.returncode == 0, result.stderr


def test_generated_stubs_import_with_only_their_folder_on_the_path() -> None:
    imports = [f"import signalbox.v1.{name}_pb2" for name in FILES]
    imports += [f"import signalbox.v1.{name}_pb2_grpc" for name in ("admin", "health_feed", "router")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "protos" / "gen")}
    command = [sys.executable, "-P", "-c", "; ".join(imports)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert result.returncode == 0, result.stderr


def test_every_file_is_in_the_package_of_its_folder_with_its_language_options(files: list[FileDescriptorProto]) -> None:
    assert {file.name for file in files} == {f"signalbox/v1/{name}.proto" for name in FILES}
    for file in files:
        assert file.package == str(Path(file.name).parent).replace("/", ".")
        assert file.options.go_package == "github.com/signalbox-dev/signalbox/clients/go/signalbox/v1;signalboxv1"
        assert file.options.java_package == "dev.signalbox.v1"
        assert file.options.java_multiple_files
        assert file.options.csharp_namespace == "Signalbox.V1"


def test_every_element_has_a_leading_comment_of_full_sentences(files: list[FileDescriptorProto]) -> None:
    bare = [
        f"{file.name}: {name}: {comment!r}"
        for file in files
        for name, comment in comments(file)
        if not comment.endswith(".")
    ]
    assert bare == []


def test_a_missing_comment_is_noticed() -> None:
    file = FileDescriptorProto(name="x.proto", message_type=[DescriptorProto(name="Bare")])
    assert list(comments(file)) == [("Bare", "")]


def test_methods_are_those_of_the_contract_with_their_own_messages(files: list[FileDescriptorProto]) -> None:
    methods = {f"{service.name}.{m.name}": m for file in files for service in file.service for m in service.method}
    assert methods.keys() == METHODS
    for name, method in methods.items():
        assert method.input_type == f".signalbox.v1.{method.name}Request"
        assert method.output_type == f".signalbox.v1.{method.name}Response"
        assert method.server_streaming == (name in SERVER_STREAMS)
        assert not method.client_streaming


def test_enums_start_unspecified_and_prefix_their_values(files: list[FileDescriptorProto]) -> None:
    enums = [enum for file in files for enum in all_enums(file)]
    assert len(enums) > 20
    for enum in enums:
        prefix = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.name).lstrip("_")
        assert (enum.value[0].name, enum.value[0].number) == (f"{prefix}_UNSPECIFIED", 0)
        assert [value.name for value in enum.value if not value.name.startswith(f"{prefix}_")] == []


@pytest.mark.parametrize("message", FIELDS)
def test_message_has_the_fields_of_the_contract(files: list[FileDescriptorProto], message: str) -> None:
    fields = {
        field.name for field in dict(item for file in files for item in all_messages(file.message_type))[message].field
    }
    assert set(FIELDS[message].split()) - fields == set()


def test_every_reason_of_the_error_contract_exists_and_has_an_example(files: list[FileDescriptorProto]) -> None:
    file = next(file for file in files if file.name.endswith("/error_reason.proto"))
    documented = {
        name.removeprefix("ErrorReason.ERROR_REASON_"): " ".join(comment.split()) for name, comment in comments(file)
    }
    assert set(REASONS.split()) - documented.keys() == set()
    assert [reason for reason in REASONS.split() if "Example: " not in documented[reason]] == []


def test_field_types_follow_from_their_names(files: list[FileDescriptorProto]) -> None:
    named = dict(item for file in files for item in all_messages(file.message_type))
    fields = [(f"{name}.{field.name}", field) for name, message in named.items() for field in message.field]
    moments = [name for name, field in fields if field.type_name == ".google.protobuf.Timestamp"]
    money = [field for name, field in fields if "usd_nanos" in name]
    assert [name for name in moments if not name.endswith("_time")] == []
    assert {field.type for field in money} == {FieldDescriptorProto.TYPE_INT64}
    assert [name for name, field in fields if field.type == FieldDescriptorProto.TYPE_FLOAT] == []


def comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """Every service, method, message, field, oneof, enum and enum value of a file, with its leading comment."""
    found = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
    for name, path in elements(file):
        yield name, found.get(path, "")


def elements(file: FileDescriptorProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The name of each element and its path in the descriptor, as field numbers and indexes."""
    for i, service in enumerate(file.service):
        yield service.name, (6, i)
        yield from ((f"{service.name}.{method.name}", (6, i, 2, j)) for j, method in enumerate(service.method))
    for i, enum in enumerate(file.enum_type):
        yield from enum_elements(enum, (5, i))
    for i, message in enumerate(file.message_type):
        yield from message_elements(message, (4, i), message.name)


def message_elements(
    message: DescriptorProto, path: tuple[int, ...], name: str
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What a message holds, without the compiler's own additions: entries of maps and oneofs of optional fields."""
    yield name, path
    synthetic = {field.oneof_index for field in message.field if field.proto3_optional}
    yield from ((f"{name}.{field.name}", (*path, 2, i)) for i, field in enumerate(message.field))
    yield from ((f"{name}.{o.name}", (*path, 8, i)) for i, o in enumerate(message.oneof_decl) if i not in synthetic)
    for i, enum in enumerate(message.enum_type):
        yield from enum_elements(enum, (*path, 4, i))
    for i, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            yield from message_elements(nested, (*path, 3, i), f"{name}.{nested.name}")


def enum_elements(enum: EnumDescriptorProto, path: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield enum.name, path
    yield from ((f"{enum.name}.{value.name}", (*path, 2, i)) for i, value in enumerate(enum.value))


def all_messages(messages: Iterable[DescriptorProto], prefix: str = "") -> Iterator[tuple[str, DescriptorProto]]:
    for message in messages:
        yield f"{prefix}{message.name}", message
        yield from all_messages(message.nested_type, f"{prefix}{message.name}.")


def all_enums(file: FileDescriptorProto) -> Iterator[EnumDescriptorProto]:
    yield from file.enum_type
    for _, message in all_messages(file.message_type):
        yield from message.enum_type
