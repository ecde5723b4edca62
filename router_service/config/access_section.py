"""Who may call: tenants with their keys, what each may ask for, and how ports and our own calls are guarded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from router_service.config.fields import (
    Concurrency,
    Day,
    EnvironmentName,
    KeyHash,
    Name,
    Section,
    Selector,
    Text,
    Tokens,
    Usd,
)
from router_service.config.money import usd_nanos
from router_service.config.surroundings import Surroundings
from router_service.core import tenant
from router_service.core.budget import TenantBudget
from router_service.core.catalog import Secret
from router_service.core.settings import ProberAccess, TlsSettings

PerMinute = Annotated[int, Field(ge=1, le=10_000_000)]


class TlsSection(Section):
    """Encryption of the router's port and of the prober's TCP port. The files are PEM; changed ones are read anew."""

    cert: Text | None = Field(
        default=None, description="The file with the certificate and those that lead to its authority."
    )
    key: Text | None = Field(default=None, description="The file of the certificate's private key.")
    client_ca: Text | None = Field(
        default=None, description="The file of the authority that every caller must have a certificate of."
    )

    def settings(self, directory: Path) -> TlsSettings | None:
        """What the section stands for; None where it names no certificate."""
        if self.cert is None or self.key is None:
            return None
        client_ca = None if self.client_ca is None else directory / self.client_ca
        return TlsSettings(cert=directory / self.cert, key=directory / self.key, client_ca=client_ca)


class ProberAccessSection(Section):
    """What a router shows to a prober that it calls by TCP; over the Unix socket nothing is asked for."""

    ca: Text | None = Field(
        default=None, description="The file of the authority that signed the prober's certificate; turns TLS on."
    )
    cert: Text | None = Field(
        default=None, description="The file with the router's own certificate, for a `client_ca`."
    )
    cert_key: Text | None = Field(
        default=None, description="The file of its private key, where `cert` does not hold it."
    )
    api_key_env: EnvironmentName | None = Field(
        default=None,
        description="The environment variable that holds a key with the role `health_reporter`.",
        examples=["SIGNALBOX_PROBER_KEY"],
    )

    def settings(self, around: Surroundings) -> ProberAccess:
        """What the section stands for, with the key as it is in the environment now."""

        def path(name: str | None) -> Path | None:
            return None if name is None else around.directory / name

        key = "" if self.api_key_env is None else around.environ.get(self.api_key_env, "").strip()
        return ProberAccess(
            ca=path(self.ca), cert=path(self.cert), cert_key=path(self.cert_key), api_key=Secret(_value=key)
        )


class TenantKey(Section):
    """A key that a tenant's callers may use."""

    hash: KeyHash = Field(
        description="The key's SHA-256, as `signalbox keys new` prints it; never the key itself.",
        examples=["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    role: Literal["caller", "operator", "admin", "health_reporter"] = Field(
        default="caller", description="What the key allows."
    )
    expires: Day | None = Field(
        default=None,
        description="The first day, in UTC, on which the key counts no more.",
        examples=["2027-01-31"],
    )

    def api_key(self) -> tenant.ApiKey:
        return tenant.ApiKey(
            digest=bytes.fromhex(self.hash.removeprefix("sha256:")),
            role=tenant.Role(self.role),
            expires_s=None if self.expires is None else _midnight_s(self.expires),
        )


class TenantEntry(Section):
    """Someone who may call."""

    name: Name = Field(description="What the tenant is called.", examples=["web"])
    keys: Annotated[list[TenantKey], Field(max_length=64)] = Field(
        default=[], description="The keys of its callers; a tenant without any is kept out."
    )
    only: Annotated[list[Selector], Field(max_length=256)] = Field(
        default=[],
        description="Selectors of the targets that serve it, `free` aside; without any, all targets.",
        examples=[["groq", "tier:local"]],
    )
    requests_per_minute: PerMinute | None = Field(
        default=None,
        description="Requests that it may make in a minute, decisions alone and invalid ones included.",
        examples=[600],
    )
    tokens_per_minute: Tokens | None = Field(
        default=None,
        description="Tokens of input and output in a minute; a request pays when it has ended.",
        examples=[200000],
    )
    concurrency: Concurrency | None = Field(
        default=None, description="Requests under way at once, streams included.", examples=[50]
    )
    budget_usd_per_day: Usd | None = Field(
        default=None, description="What it may spend in a day; then only what is free serves it.", examples=[5]
    )
    free_only: bool = Field(default=False, description="Whether nothing that has a price ever serves it.")
    content_filter_failover: bool | None = Field(
        default=None,
        description="Whether the next target is asked after a provider's content filter said no; as "
        "`routing.content_filter_failover` has it where this is left out.",
    )
    log_only: bool = Field(
        default=False,
        description="Whether `only` and the limits on requests, tokens and concurrency refuse nothing and are logged "
        "where they would.",
    )

    def tenant(self) -> tenant.Tenant:
        """The tenant that the entry stands for."""
        return tenant.Tenant(
            name=self.name,
            keys=tuple(key.api_key() for key in self.keys),
            allowance=tenant.Allowance(
                requests_per_minute=self.requests_per_minute,
                tokens_per_minute=self.tokens_per_minute,
                concurrency=self.concurrency,
            ),
            only=tuple(self.only),
            is_log_only=self.log_only,
        )

    def budget(self) -> TenantBudget | None:
        """What bounds its money, None where nothing does."""
        if self.budget_usd_per_day is None and not self.free_only:
            return None
        daily = None if self.budget_usd_per_day is None else usd_nanos(self.budget_usd_per_day)
        return TenantBudget(daily_usd_nanos=daily, free_only=self.free_only)


def _midnight_s(day: str) -> float:
    """The moment at which the day begins in UTC, in seconds since 1970."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
