"""Who may call what: keys against their hashes and roles against methods, before a request's message is read."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc

from router_service.core.errors import NotAllowed, Unauthenticated
from router_service.core.tenant import EVERY_ROLE, NOBODY_IN_PARTICULAR, ApiKey, Caller, Role, Tenant

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

HEADER = "authorization"
SCHEME = "bearer"
MARK_BYTES = 8
"""So much of a key's hash finds the key; whether it is the one is then compared in constant time."""

CERTIFIED_NAMES = ("x509_subject", "x509_common_name", "x509_subject_alternative_name")
"""What gRPC tells of the one whom a certificate names."""

CALLS = frozenset({Role.CALLER, Role.OPERATOR, Role.ADMIN})
READS = frozenset({Role.OPERATOR, Role.ADMIN})
REPORTS = frozenset({Role.HEALTH_REPORTER, Role.ADMIN})
WATCHES = READS | REPORTS
"""A router that reports has to watch as well: the snapshots say which of its reports have come."""
CHANGES = frozenset({Role.ADMIN})
_NONE: frozenset[Role] = frozenset()

_RIGHTS: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "/signalbox.v1.Admin/ListTargets": READS,
        "/signalbox.v1.Admin/GetTarget": READS,
        "/signalbox.v1.Admin/GetStatistics": READS,
        "/signalbox.v1.Admin/GetCostReport": READS,
        "/signalbox.v1.Admin/ListRecommendations": READS,
        "/signalbox.v1.Admin/ListDecisions": READS,
        "/signalbox.v1.Admin/ExportUsage": READS,
        "/signalbox.v1.Admin/GetConfig": READS,
        "/signalbox.v1.Admin/ValidateConfig": READS,
        "/signalbox.v1.HealthFeed/Watch": WATCHES,
        "/signalbox.v1.HealthFeed/GetSnapshot": WATCHES,
        "/signalbox.v1.HealthFeed/Report": REPORTS,
    }
)


def rights(method: str) -> frozenset[Role]:
    """The roles that may call `method` (`/package.Service/Name`). What is not named is an admin's alone."""
    if method.startswith("/signalbox.v1.Router/"):
        return CALLS
    return _RIGHTS.get(method, CHANGES)


_CALLER: ContextVar[Caller] = ContextVar("caller", default=NOBODY_IN_PARTICULAR)


def current_caller() -> Caller:
    """Who makes the call that this task serves; nobody in particular where callers are not told apart."""
    return _CALLER.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leniency:
    """What callers may do without a key.

    `unknown` are the roles of everybody while there are no tenants; none, where the port is reached from elsewhere and
    nothing else guards it. Besides them, a certificate of the port's `client_ca` gives those in `certified`. Who came
    by a Unix socket has those in `local`, tenants or not; without any, such a socket is like any port.
    """

    unknown: frozenset[Role] = EVERY_ROLE
    certified: frozenset[Role] = _NONE
    local: frozenset[Role] = _NONE


class Access:
    """Tells who calls. `adopt` takes the tenants; with the first of them, keys are asked for.

    `clock` gives seconds since 1970, by which keys expire.
    """

    def __init__(self, leniency: Leniency, *, clock: Callable[[], float] = time.time) -> None:
        self._leniency = leniency
        self._clock = clock
        self._has_tenants = False
        self._keys: Mapping[bytes, tuple[_Known, ...]] = {}

    def adopt(self, tenants: Iterable[Tenant]) -> bool:
        """Let these tenants in from the next call on, and nobody else. Calls under way go on.

        Returns whether anybody who was let in before is another caller now, or none.
        """
        before, had_tenants = self._keys, self._has_tenants
        keys: dict[bytes, tuple[_Known, ...]] = {}
        self._has_tenants = False
        for tenant in tenants:
            self._has_tenants = True
            for key in tenant.keys:
                mark = key.digest[:MARK_BYTES]
                known = _Known(key, Caller(tenant=tenant.name, roles=frozenset({key.role})))
                keys[mark] = (*keys.get(mark, ()), known)
        self._keys = keys
        is_as_before = all(known in keys.get(mark, ()) for mark, held in before.items() for known in held)
        return had_tenants != self._has_tenants or not is_as_before

    def admit(self, method: str, allowed: frozenset[Role], context: Context) -> None:
        """Find out who calls, for `current_caller`. Raises Unauthenticated, and NotAllowed where `allowed`, the roles
        that may call `method`, has none of the caller's.
        """
        if not self._has_tenants and allowed & self._leniency.unknown and not self._leniency.certified:
            return  # and no certificate makes somebody of anybody
        caller = self._caller(context)
        _CALLER.set(caller)
        if not caller.roles & allowed:
            raise NotAllowed(_not_allowed(method, allowed, caller))

    def _caller(self, context: Context) -> Caller:
        leniency = self._leniency
        if leniency.local and context.peer().startswith("unix:"):
            return Caller(roles=leniency.local)
        if not self._has_tenants and (leniency.unknown or leniency.certified):
            # gRPC asks for a certificate only where there is a client_ca, and lets nobody in whose one is not of it.
            shown = context.auth_context()
            if "x509_pem_cert" not in shown:
                return Caller(roles=leniency.unknown)
            return Caller(roles=leniency.unknown | leniency.certified, certificate=_named_in(shown))
        key = _key_in(context)
        if key is None:
            raise Unauthenticated(f"this server asks for a key; send it as metadata, `{HEADER}: Bearer KEY`")
        return self._known(key)

    def _known(self, key: str) -> Caller:
        digest = hashlib.sha256(key.encode("utf-8", "replace")).digest()
        for known in self._keys.get(digest[:MARK_BYTES], ()):
            if hmac.compare_digest(known.key.digest, digest):
                if known.key.expires_s is not None and self._clock() >= known.key.expires_s:
                    raise Unauthenticated("this key has expired; ask whoever runs the server for a new one")
                return known.caller
        raise Unauthenticated("this server does not know the key; ask whoever runs it for one")


@dataclass(frozen=True, slots=True)
class _Known:
    key: ApiKey
    caller: Caller


def _key_in(context: Context) -> str | None:
    """The bearer key of a call. Of several nobody could say which is meant, so they count as none."""
    values = [value for name, value in context.invocation_metadata() or () if name == HEADER]
    if len(values) != 1 or not isinstance(values[0], str):
        return None
    scheme, _, key = values[0].partition(" ")
    return key.strip() if scheme.lower() == SCHEME else None


def _named_in(certificate: Mapping[str, Iterable[bytes]]) -> str:
    """A mark of whom a certificate names: the same for a renewed one."""
    names = hashlib.sha256()
    for kind in CERTIFIED_NAMES:
        for name in certificate.get(kind, ()):
            names.update(f"{kind} {len(name)} ".encode() + name)
    return f"certificate {names.hexdigest()}"


def _not_allowed(method: str, allowed: frozenset[Role], caller: Caller) -> str:
    service_and_name = method.removeprefix("/signalbox.v1.")
    wanted = " or ".join(sorted(role.value for role in allowed))
    if allowed is REPORTS and not caller.tenant:
        return (
            "reports are taken over the prober's Unix socket, sockets/prober.sock in the data directory; over TCP they "
            f"take a client certificate, or a key with the role {wanted}"
        )
    return f"{service_and_name} takes a key with the role {wanted}"
