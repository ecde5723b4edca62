"""The fault grammar, as tables of text and value."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router_service.simulator.faults import Fault, FaultError, Shape, parse_fault, split_model


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault()),
        ("  ", Fault()),
        ("status=429;retry-after=2", Fault(status=429, retry_after="2")),
        (
            "status=429;retry-after=Wed, 21 Oct 2026 07:28:00 GMT",
            Fault(status=429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
        ),
        ("status=400;code=context_length_exceeded;type=x", Fault(status=400, code="context_length_exceeded", type="x")),
        ("reset", Fault(reset=True)),
        ("reset-after=3", Fault(reset_after=3)),
        ("stall-after=0", Fault(stall_after=0)),
        ("truncate-bytes=17", Fault(truncate_bytes=17)),
        (" slow=0.5 ; html ", Fault(slow=0.5, html=True)),
        ("trickle=5", Fault(trickle=5.0)),
        ("shape=null-choices", Fault(shape=Shape.NULL_CHOICES)),
        ("crlf;comments;bom", Fault(crlf=True, comments=True, bom=True)),
        ("redirect=http://127.0.0.1:9/a?b=c", Fault(redirect="http://127.0.0.1:9/a?b=c")),
        ("huge-line=2;one-byte", Fault(huge_line=2, one_byte=True)),
    ],
)
def test_fault_reads(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("explode", "explode: no such fault; there are status, retry-after"),
        ("reset;;stall", "an empty part: no such fault"),
        ("reset=1", "reset=1: reset takes no value"),
        ("status", "status: status needs a value, as in status=429"),
        ("status=", "status=: status needs a value"),
        ("status=soon", "status=soon: "),
        ("status=200", "status=200: "),
        ("stall-after=-1", "stall-after=-1: "),
        ("slow=nan", "slow=nan: "),
        ("slow=inf", "slow=inf: "),
        ("shape=round", "shape=round: "),
        ("retry-after=a\r\nb", "retry-after=a\r\nb: "),
        ("body-mib=0", "body-mib=0: "),
        ("crlf;crlf", "crlf: is given twice"),
        ("reset;stall", "reset, stall: an answer ends in one way"),
    ],
)
def test_fault_that_is_none_names_the_part(text: str, message: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_fault(text)
    assert str(caught.value).startswith(message)


@settings(deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz-=;!0123456789.") | st.text())
def test_any_text_is_a_fault_or_refused(text: str) -> None:
    with suppress(FaultError):
        assert isinstance(parse_fault(text), Fault)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("m", ("m", "")),
        ("a/b!status=500", ("a/b", "status=500")),
        ("m!redirect=http://x/!y", ("m", "redirect=http://x/!y")),
    ],
)
def test_model_name_parts_at_the_first_mark(name: str, parts: tuple[str, str]) -> None:
    assert split_model(name) == parts
