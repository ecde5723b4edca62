"""A thin client for Signalbox: decisions, completions, streams never whole when they are not, health, admin."""

from signalbox.v1.chat_pb2 import Message
from signalbox.v1.health_feed_pb2 import Snapshot
from signalbox.v1.router_pb2 import (
    PLAN_VIEW_BASIC,
    PLAN_VIEW_FULL,
    CompleteRequest,
    CompleteResponse,
    Plan,
    RouteRequest,
    Routing,
    StreamCompleteResponse,
)

from .admin import AdminClient, AsyncAdminClient
from .aio import AsyncClient
from .client import Client
from .content import arguments, following, put_together, result, showing, tool
from .errors import (
    DeadlineExceeded,
    Refused,
    SignalboxError,
    StreamInterrupted,
    Unreachable,
    UpstreamFailed,
    Violation,
    ViolationKind,
)
from .health import AsyncHealthClient, HealthClient
from .request import Prompt, Question, assistant, completion, system, user
from .stream import AsyncCompletionStream, CompletionStream

__all__ = [
    "PLAN_VIEW_BASIC",
    "PLAN_VIEW_FULL",
    "AdminClient",
    "AsyncAdminClient",
    "AsyncClient",
    "AsyncCompletionStream",
    "AsyncHealthClient",
    "Client",
    "CompleteRequest",
    "CompleteResponse",
    "CompletionStream",
    "DeadlineExceeded",
    "HealthClient",
    "Message",
    "Plan",
    "Prompt",
    "Question",
    "Refused",
    "RouteRequest",
    "Routing",
    "SignalboxError",
    "Snapshot",
    "StreamCompleteResponse",
    "StreamInterrupted",
    "Unreachable",
    "UpstreamFailed",
    "Violation",
    "ViolationKind",
    "arguments",
    "assistant",
    "completion",
    "following",
    "put_together",
    "result",
    "showing",
    "system",
    "tool",
    "user",
]
