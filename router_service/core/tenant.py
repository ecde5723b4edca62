"""Who calls: tenants, the keys that name them, what each key allows, and how much each tenant may ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from router_service.core.catalog import Target
from router_service.core.decision.rules import selects


class Role(Enum):
    """What a key is for. An operator may do what a caller may, and an admin everything."""

    CALLER = "caller"
    OPERATOR = "operator"
    ADMIN = "admin"
    HEALTH_REPORTER = "health_reporter"


EVERY_ROLE = frozenset(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as the server knows it: by its SHA-256. From `expires_s`, in seconds since 1970, it counts no more."""

    digest: bytes = field(repr=False)
    role: Role = Role.CALLER
    expires_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much a tenant may ask for; None sets no bound.

    Tokens are those of the answers' usage, input and output, failed attempts included. They are paid when a request has
    ended, so that a minute is overdrawn by at most what was under way.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Someone who may call. `only` are the selectors of the targets that serve it, in the language of rules; empty for
    all. With `is_log_only`, `allowance` and `only` refuse nothing: what they would have refused is logged.
    """

    name: str
    keys: tuple[ApiKey, ...] = ()
    allowance: Allowance = field(default_factory=Allowance)
    only: tuple[str, ...] = ()
    is_log_only: bool = False

    def may_use(self, target: Target) -> bool:
        """Whether the target is among those that serve this tenant."""
        return not self.only or any(selects(selector, target, is_free=False) for selector in self.only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever makes a call: its tenant's name, empty where callers are not told apart, and what it may do.

    `certificate` marks whom a certificate names that lets its owner in, without a key.
    """

    tenant: str = ""
    roles: frozenset[Role] = EVERY_ROLE
    certificate: str = ""

    @property
    def identity(self) -> str:
        """The same for all who show a key of one tenant, or certificates of one name. Empty on the machine itself."""
        return f"tenant {self.tenant}" if self.tenant else self.certificate


NOBODY_IN_PARTICULAR = Caller()
