"""Methods that the contract names and nobody has built yet: they answer UNIMPLEMENTED with a text that says so."""

from __future__ import annotations

from typing import Any, NoReturn

from router_service.core.errors import NotBuilt


def refuse_unbuilt(servicer: object, base: type) -> None:
    """Give `servicer` an honest answer for each method of the generated `base` that its class does not override.

    Without it the generated default would run in a thread and log a traceback.
    """
    service = base.__name__.removesuffix("Servicer")
    for name in [n for n in vars(base) if not n.startswith("_")]:
        if getattr(type(servicer), name) is getattr(base, name):
            setattr(servicer, name, _refusing(f"signalbox.v1.{service}/{name}"))


def _refusing(method: str) -> Any:
    async def refuse(_request: object, _context: object) -> NoReturn:
        raise NotBuilt(method)

    return refuse
