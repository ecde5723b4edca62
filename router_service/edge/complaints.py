"""What is wrong with a message from the wire, collected field by field: its caller hears of all of it at once."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message as PbMessage

from router_service.core.errors import InvalidRequest, NotBuilt, Violation

MAX_VIOLATIONS = 100

Built = Mapping[str, frozenset[str]]
"""By a message's name, its fields that do something today. One that is set beyond them is refused, never ignored."""


class Complaints:
    """Collects what is wrong, and the first that is right but not built."""

    def __init__(self, built: Built) -> None:
        self._built = built
        self._violations: list[Violation] = []
        self._unbuilt = ""

    def add(self, field: str, description: str) -> None:
        self._violations.append(Violation(field, description))
        if len(self._violations) >= MAX_VIOLATIONS:
            self.settle()

    def check_known(self, pb: PbMessage, path: str) -> None:
        """Every field that is set is one that does something."""
        built = self._built[pb.DESCRIPTOR.name]
        for field, value in pb.ListFields():
            if field.name not in built:
                if field.enum_type is not None and value not in field.enum_type.values_by_number:
                    self.add(f"{path}{field.name}", f"{value} is no value of {field.enum_type.name}")
                self._unbuilt = self._unbuilt or f"{path}{field.name}"
            elif field.name in ("generation", "routing"):
                self.check_known(value, f"{path}{field.name}.")

    def settle(self) -> None:
        """Raises InvalidRequest with every field that cannot stand, or MAX_VIOLATIONS of them, else NotBuilt for the
        first that asks for what does not exist yet.
        """
        if self._violations:
            raise InvalidRequest(self._violations)
        if self._unbuilt:
            raise NotBuilt(f"what the field {self._unbuilt} asks for")
