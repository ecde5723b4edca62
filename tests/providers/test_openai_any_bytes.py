"""Whatever a vendor sends, it becomes values, or an upstream error that tells nothing of it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from router_service.core.errors import UpstreamError
from router_service.providers.dialect import HttpHead
from router_service.providers.openai import OpenAIDialect
from tests.providers.openai_bodies import ASKED, CANARY, decoded

KEYS = st.sampled_from(
    "choices message delta content finish_reason tool_calls function arguments index id usage prompt_tokens "
    "completion_tokens prompt_tokens_details cached_tokens x_groq model error errors code type metadata reasons "
    f"detail {CANARY}".split()
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([CANARY, "stop", "429", "500", "²³¹", "", "[DONE]"])
)
ANY_JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(st.dictionaries(KEYS, ANY_JSON, max_size=3), max_size=2) | ANY_JSON,
        "usage": st.dictionaries(KEYS, LEAVES, max_size=3) | ANY_JSON,
        "error": ANY_JSON,
        "x_groq": st.dictionaries(KEYS, ANY_JSON, max_size=2),
    },
)
BODIES = (ANY_JSON | SHAPED).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=80)


@given(BODIES)
def test_any_body_is_an_answer_or_an_upstream_error(body: bytes) -> None:
    try:
        decoded(body)
    except UpstreamError as error:
        assert CANARY not in str(error)


@given(st.lists(BODIES, max_size=4), st.booleans())
def test_any_stream_is_deltas_or_an_upstream_error(bodies: list[bytes], is_framed: bool) -> None:
    decoder = OpenAIDialect().decoder(ASKED)
    try:
        for body in bodies:
            decoder.feed(b"data: " + body + b"\n\n" if is_framed else body)
        decoder.feed(b"\n\ndata: [DONE]\n\n")
        decoder.end()
    except UpstreamError as error:
        assert CANARY not in str(error)


@given(st.integers(100, 999), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=20)), BODIES)
def test_any_failure_is_an_upstream_error(status: int, headers: dict[str, str], body: bytes) -> None:
    error = OpenAIDialect().failure(HttpHead(status=status, headers=headers), body)
    assert isinstance(error, UpstreamError)
    assert error.status_code == status
    assert CANARY not in str(error)
