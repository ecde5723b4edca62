"""Checks of tenants and their keys, and of what guards the ports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from router_service.config.addresses import is_far_address
from router_service.config.problem import Problem
from router_service.config.source import Source
from router_service.config.values import at, items, line_of
from router_service.core.addresses import unguarded
from router_service.core.catalog import Target
from router_service.core.decision.rules import FREE
from router_service.core.tenant import Tenant


def access_checks(source: Source) -> Iterator[Problem]:
    """Every contradiction between tenants, keys, certificates and addresses. Wrong types are left to the schema."""
    yield from _listeners(source)
    yield from _metrics(source)
    yield from _half_certificates(source)
    yield from _key_in_the_clear(source)
    yield from _repeated(source)
    yield from _nobody(source)
    yield from _free(source)


def about_tenants(source: Source, tenants: Sequence[Tenant], targets: Sequence[Target]) -> Iterator[str]:
    """A line on each selector of a tenant that means no target of the catalogue."""
    for number, tenant in enumerate(tenants):
        for place, selector in enumerate(tenant.only):
            if not any(Tenant(name=tenant.name, only=(selector,)).may_use(target) for target in targets):
                yield source.warning(("tenants", number, "only", place), "means no target of the catalogue")


def _listeners(source: Source) -> Iterator[Problem]:
    tls = at(source.data, "server", "tls")
    for section in ("server", "prober"):
        settings = at(source.data, section)
        address = at(settings, "address")
        if not isinstance(address, str) or not is_far_address(address) or at(settings, "allow_remote") is True:
            continue
        lacking = unguarded(
            address,
            has_tls=at(tls, "cert") is not None,
            has_client_ca=at(tls, "client_ca") is not None,
            has_keys=_has_keys(source),
        )
        if lacking:
            yield source.problem(
                (section, "address"),
                f"would let other machines in, and {lacking}",
                "configure server.tls, and tenants or server.tls.client_ca; or listen on 127.0.0.1; or set "
                f"{section}.allow_remote: true where something else guards the port",
            )


def _metrics(source: Source) -> Iterator[Problem]:
    """Nothing but the place of its listener guards what metrics tell."""
    settings = at(source.data, "telemetry")
    for key in ("metrics_address", "prober_metrics_address"):
        address = at(settings, key)
        if isinstance(address, str) and is_far_address(address) and at(settings, "allow_remote") is not True:
            yield source.problem(
                ("telemetry", key),
                "would let other machines in, and callers are not authenticated",
                "listen on 127.0.0.1, or set telemetry.allow_remote: true where the network keeps strangers out",
            )


def _half_certificates(source: Source) -> Iterator[Problem]:
    tls = at(source.data, "server", "tls")
    given = {key for key in ("cert", "key", "client_ca") if at(tls, key) is not None}
    for missing in sorted({"cert", "key"} - given if given else ()):
        yield source.problem(
            ("server", "tls"), f"has no {missing}", "cert and key belong together; both may name the same file"
        )
    access = at(source.data, "prober", "access")
    if at(access, "cert_key") is not None and at(access, "cert") is None:
        yield source.problem(("prober", "access"), "has no cert", "cert_key is the private key of cert")
    if at(access, "cert") is not None and at(access, "ca") is None:
        yield source.problem(("prober", "access"), "has no ca", "a certificate is shown only where ca turns TLS on")


def _key_in_the_clear(source: Source) -> Iterator[Problem]:
    """The prober's own address is the one that a file tells of; that of a flag is looked at when the router starts."""
    prober = at(source.data, "prober")
    address, access = at(prober, "address"), at(prober, "access")
    is_far = isinstance(address, str) and is_far_address(address) and at(prober, "allow_remote") is not True
    if is_far and at(access, "api_key_env") is not None and at(access, "ca") is None:
        yield source.problem(
            ("prober", "access"),
            f"has no ca, so that its key would go to {address} in the clear",
            "ca is the file of the authority that signed the prober's certificate, and turns TLS on; or set "
            "prober.allow_remote: true where something else encrypts",
        )


def _repeated(source: Source) -> Iterator[Problem]:
    """A key that two tenants share would not tell them apart."""
    names: dict[object, int] = {}
    hashes: dict[str, tuple[str | int, ...]] = {}
    for loc, entry in items(at(source.data, "tenants"), ("tenants",)):
        name = at(entry, "name")
        if isinstance(name, str):
            if name in names:
                first = line_of(source, ("tenants", names[name], "name"), seen_from=(*loc, "name"))
                yield source.problem((*loc, "name"), "is another tenant's name", f"that one is in {first}")
            names.setdefault(name, int(loc[-1]))
        for place, key in items(at(entry, "keys"), (*loc, "keys")):
            digest = at(key, "hash")
            if not isinstance(digest, str):
                continue
            here = (*place, "hash")
            if digest.lower() in hashes:
                first = line_of(source, hashes[digest.lower()], seen_from=here)
                yield source.problem(here, "stands for a key that is known already", f"the first is in {first}")
            hashes.setdefault(digest.lower(), here)


def _nobody(source: Source) -> Iterator[Problem]:
    if items(at(source.data, "tenants"), ()) and not _has_keys(source):
        yield source.problem(
            ("tenants",), "have no key at all, so that nobody could call", "`signalbox keys new` makes one"
        )


def _free(source: Source) -> Iterator[Problem]:
    """What is free changes from hour to hour, and what a tenant may use does not."""
    for loc, entry in items(at(source.data, "tenants"), ("tenants",)):
        for place, selector in items(at(entry, "only"), (*loc, "only")):
            if selector == FREE:
                yield source.problem(place, "selects nothing here", "set free_only: true for this tenant")


def _has_keys(source: Source) -> bool:
    return any(items(at(entry, "keys"), ()) for _, entry in items(at(source.data, "tenants"), ()))
