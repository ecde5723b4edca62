"""Opaque state on the wire: a vendor's bytes behind a line that names the target which wrote them.

A caller keeps it as it is and sends it back. The line makes sure that nobody else is ever sent the bytes.
"""

from __future__ import annotations

import re

from router_service.core.chat import OpaqueState
from router_service.edge.complaints import Complaints

_MARKED = re.compile(rb"([!-~]{3,300})\n")


def marked(state: OpaqueState | None) -> bytes:
    """As a caller gets it; empty where there is none."""
    return b"" if state is None else b"%b\n%b" % (state.origin.encode(), state.data)


def unmarked(data: bytes, path: str, complaints: Complaints) -> OpaqueState | None:
    """As it was got."""
    if not data:
        return None
    found = _MARKED.match(data)
    if found is None:
        complaints.add(path, "is none that this service gave out: send it back as it was, or leave it out")
        return None
    return OpaqueState(origin=found[1].decode("ascii"), data=data[found.end() :])
