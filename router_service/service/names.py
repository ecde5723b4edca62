"""Names in a request's wishes that stand for nothing here: a typo must not be obeyed as if it asked for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from router_service.core.catalog import ASSISTANT_PREFILL, CONTINUES_TEXT, FORCED_TOOL_CHOICE, IMAGE_URI, Catalog
from router_service.core.errors import InvalidRequest, Violation
from router_service.core.request import Routing

CAPABILITIES = frozenset(
    {
        *("tools", "vision", "json_schema", "json_object", "reasoning"),
        *(CONTINUES_TEXT, FORCED_TOOL_CHOICE, IMAGE_URI, ASSISTANT_PREFILL),
    }
)
"""Names that are known everywhere, also where no target of the catalogue has any of them."""
MOST_NAMED = 20


def check_names(routing: Routing, catalog: Catalog) -> None:
    """Raises InvalidRequest with every provider that the catalogue does not know, and every demanded capability that
    neither it nor anybody else knows, each with the names that are nearest.
    """
    if not (routing.allowed_providers or routing.denied_providers or routing.required_capabilities):
        return
    if violations := list(_unknown(routing, catalog)):
        raise InvalidRequest(violations)


def _unknown(routing: Routing, catalog: Catalog) -> Iterator[Violation]:
    providers = {provider.name for provider in catalog.providers}
    for field, names in (
        ("routing.allowed_providers", routing.allowed_providers),
        ("routing.denied_providers", routing.denied_providers),
    ):
        for name in sorted(names - providers):
            yield Violation(field, f"{name!r} is no provider of this router; {_near(name, providers)}")
    if routing.required_capabilities - CAPABILITIES:
        known = CAPABILITIES.union(*(target.model.capabilities for target in catalog.targets))
        for name in sorted(routing.required_capabilities - known):
            yield Violation("routing.required_capabilities", f"{name!r} is no capability; {_near(name, known)}")


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    if near := get_close_matches(name, names, n=3):
        return f"did you mean {' or '.join(near)}?"
    return f"known here: {', '.join(names[:MOST_NAMED])}" if names else "there is none"
