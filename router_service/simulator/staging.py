"""From a request to its script: which provider and path it names, which fault it meets, and what is to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from time import time

from .abilities import answer_to, signature
from .admission import admit
from .answers import Answer, write_bulk, write_line
from .cast import Role
from .compose import compose_chat, compose_error, compose_fault, compose_models, compose_refusal
from .faults import NO_FAULT, Fault, FaultError, parse_fault, split_model
from .openai_answer import Reply
from .openai_request import ChatRequest, Refusal, RequestRefused, check_key, check_model, check_signatures, read_chat
from .script import Script
from .slots import Slots
from .state import SimulatorState

CHAT = "chat"
MODELS = "models"
PATHS = (CHAT, MODELS)
"""What there is at a provider; every other path is refused before it could meet a fault."""

MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Call:
    """One request as it was read; it fills while its bytes come in."""

    started_s: float
    """When its first byte came, on the state's clock."""
    started_at: float
    """The same moment on the wall clock, in seconds since 1970."""
    method: str = ""
    path: str = ""
    query: str = ""
    authorization: str = ""
    attempt_id: str = ""
    fault: str = ""
    body: bytes = b""
    is_too_large: bool = False
    is_complete: bool = False
    may_keep_alive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """A script together with what the log says about it."""

    provider: str
    path: str
    model: str
    is_stream: bool
    fault: str
    script: Script
    slots: Slots | None = None
    """Where the answer must find a slot before it begins."""


def stage(call: Call, state: SimulatorState) -> Performance:
    """Return what is to be sent for a request that was read whole."""
    number = b"%012x" % state.next_answer_number()
    fields = b"x-request-id: req_sim_%b\r\n" % number
    if not call.may_keep_alive:
        fields += b"connection: close\r\n"
    provider, path = locate(call.path)
    subject = _Subject(provider=provider, path=path)
    try:
        script = _script(call, subject, state, number, fields)
    except RequestRefused as refused:
        script = compose_refusal(refused.refusal, fields=fields)
    return Performance(
        provider=provider,
        path=path,
        model=subject.model,
        is_stream=subject.is_stream,
        fault=subject.fault,
        script=script,
        slots=subject.slots,
    )


def locate(path: str) -> tuple[str, str]:
    """Part a URL path into the provider and `chat`, `models` or whatever else was asked for."""
    provider, slash, rest = path[1:].partition("/")
    match rest:
        case "v1/chat/completions":
            return provider, CHAT
        case "v1/models":
            return provider, MODELS
        case _:
            return (provider, rest[:200]) if slash else ("", path[:200])


@dataclass(slots=True, kw_only=True)
class _Subject:
    # What is known of a request so far; a refusal leaves the rest empty.
    provider: str
    path: str
    model: str = ""
    is_stream: bool = False
    fault: str = ""
    slots: Slots | None = None


def _script(call: Call, subject: _Subject, state: SimulatorState, number: bytes, fields: bytes) -> Script:
    if call.is_too_large:
        raise RequestRefused(Refusal(status=413, message=f"The request body exceeds {MAX_BODY_BYTES} bytes."))
    match call.method, subject.path:
        case "POST", "chat":
            return _chat_script(call, subject, state, number, fields)
        case "GET", "models":
            return _models_script(call, subject, state, fields)
        case _, "chat" | "models":
            raise RequestRefused(Refusal(status=405, message=f"Not allowed to {call.method} on {call.path}."))
        case _:
            message = f"Invalid URL ({call.method} {call.path})"
            raise RequestRefused(Refusal(status=404, message=message, code="unknown_url"))


def _chat_script(call: Call, subject: _Subject, state: SimulatorState, number: bytes, fields: bytes) -> Script:
    chat = read_chat(call.body)
    subject.model, suffix = split_model(chat.model)
    subject.is_stream = bool(chat.stream)
    fault = _find_fault(suffix or call.fault, subject, state)
    input_tokens = chat.input_tokens()
    if script := compose_fault(fault, fields, input_tokens=input_tokens):
        return script
    role = state.cast.role(subject.provider, subject.model)
    check_key(role.account, call.authorization)
    check_model(role.account, subject.model)
    check_signatures(chat, signature(subject.provider))
    reply = Reply(
        id=number,
        created=int(time()),
        model=subject.model,
        answer=_answer(chat, subject.provider, fault, state.seed, role.answering.output_tokens),
        input_tokens=input_tokens,
        has_usage=chat.wants_usage(),
    )
    if role.windows or role.slots:
        return _limited_script(reply, role, subject, fault, state, fields)
    return _reply_script(reply, role, subject, fault, state, fields)


def _limited_script(
    reply: Reply, role: Role, subject: _Subject, fault: Fault, state: SimulatorState, fields: bytes
) -> Script:
    cost = role.cost(input_tokens=reply.input_tokens, output_tokens=reply.answer.tokens)
    admission = admit(role, cost, model=subject.model, now=state.window_moment())
    if refusal := admission.refusal:
        return compose_error(refusal.status, refusal.body, fields=fields + refusal.fields)
    subject.slots = role.slots
    return _reply_script(reply, role, subject, fault, state, fields + admission.fields)


def _reply_script(
    reply: Reply, role: Role, subject: _Subject, fault: Fault, state: SimulatorState, fields: bytes
) -> Script:
    latency_s = role.latency.draw_s(state.clock())
    return compose_chat(reply, role.answering, fault, is_stream=subject.is_stream, latency_s=latency_s, fields=fields)


def _models_script(call: Call, subject: _Subject, state: SimulatorState, fields: bytes) -> Script:
    fault = _find_fault(call.fault, subject, state)
    if script := compose_fault(fault, fields, input_tokens=0):
        return script
    role = state.cast.role(subject.provider)
    check_key(role.account, call.authorization)
    latency_s = role.listing_latency.draw_s(state.clock())
    return compose_models(role.account.models, fault, latency_s=latency_s, fields=fields)


def _find_fault(asked: str, subject: _Subject, state: SimulatorState) -> Fault:
    # What the request itself asks for goes before the schedule, so that a test keeps the fault it named.
    if asked:
        subject.fault = asked
        try:
            return parse_fault(asked)
        except FaultError as error:
            raise RequestRefused(Refusal(status=400, message=str(error), code="invalid_fault")) from error
    found = state.schedule.find(
        provider=subject.provider,
        model=subject.model,
        path=subject.path,
        now_s=state.clock(),
        random=state.random,
    )
    if found is None:
        return NO_FAULT
    subject.fault, fault = found
    return fault


def _answer(chat: ChatRequest, provider: str, fault: Fault, seed: int, length: int) -> Answer:
    if fault.huge_line is not None:
        return write_line(fault.huge_line)
    if fault.body_mib is not None:
        return write_bulk(fault.body_mib)
    # Both seeds count: the server's tells runs apart, the request's does what it does at a vendor.
    return answer_to(chat, provider=provider, seed=seed + (chat.seed or 0), length=length)
