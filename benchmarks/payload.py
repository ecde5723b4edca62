"""What is sent: one request, in the router's protocol and in the upstream's, and streams of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.catalog import Model, Provider, Target
from router_service.core.chat import Generation, Message, Prompt, Role
from router_service.providers.openai import OpenAIDialect

COMPLETE = "/signalbox.v1.Router/Complete"
STREAM_COMPLETE = "/signalbox.v1.Router/StreamComplete"
ROUTE = "/signalbox.v1.Router/Route"
PROVIDER, MODEL = "alder", "chat-small"
TEXT = "Say in a few plain words what a signal box beside a railway is for, who works in it, and what happens there."
ANSWER_TOKENS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `output_tokens` is the length of its answer, which the simulator keeps to."""

    output_tokens: int
    is_stream: bool

    def to_router(self) -> bytes:
        """The gRPC message with its five bytes in front, as it stands in a DATA frame."""
        complete = router_pb2.CompleteRequest(messages=[chat_pb2.Message(role=chat_pb2.ROLE_USER, content=TEXT)])
        complete.generation.max_output_tokens = self.output_tokens
        request = router_pb2.StreamCompleteRequest(request=complete) if self.is_stream else complete
        return framed(request.SerializeToString())

    def to_upstream(self) -> bytes:
        """The very body that the router sends to its provider for it."""
        message = Message(role=Role.USER, content=TEXT)
        prompt = Prompt(messages=(message,), generation=Generation(max_output_tokens=self.output_tokens))
        provider = Provider(name=PROVIDER, dialect="openai", base_url="")
        target = Target(provider, Model(id=MODEL))
        return OpenAIDialect().encode(prompt, target, attempt_id="", is_stream=self.is_stream).body


def route_request() -> bytes:
    """The same question to Route in its BASIC view, in a frame."""
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, content=TEXT)
    asked = router_pb2.RouteRequest(messages=[message], view=router_pb2.PLAN_VIEW_BASIC)
    asked.generation.max_output_tokens = ANSWER_TOKENS
    return framed(asked.SerializeToString())


def framed(message: bytes) -> bytes:
    """A gRPC message as it travels: a flag that says uncompressed, its length, itself."""
    return struct.pack(">BI", 0, len(message)) + message
