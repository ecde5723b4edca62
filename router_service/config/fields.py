"""The kinds of value that the configuration is made of: sections, and numbers and names with their bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from router_service.config.addresses import (
    checked_base_url,
    checked_listen_address,
    checked_tcp_address,
    checked_url,
)
from router_service.config.problem import Refusal


class Section(BaseModel):
    """A mapping of known keys. A key without a value counts as absent, so that an example's blanks mean the default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_blanks(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None or key not in cls.model_fields}


def _matching(pattern: str, message: str, hint: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise Refusal(message, hint)
        return text

    return check


def listed(given: object) -> object:
    """One name may stand for a list of one."""
    return [given] if isinstance(given, str) else given


def _not_auto(alias: str) -> str:
    if alias == "auto":
        raise Refusal("may not be auto, which stands for every target", "choose another alias")
    return alias


def _checked_date(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError as e:
        raise Refusal("is not a date", "year, month and day, for example 2027-01-31") from e
    return text


def _checked_zone(name: str) -> str:
    try:
        _ = name == "UTC" or ZoneInfo(name)
    except (ValueError, OSError, LookupError) as e:
        raise Refusal("is not a time zone that this machine knows", "UTC, or a name such as Europe/Berlin") from e
    return name


def _readable_version(version: int) -> int:
    if version != 1:
        raise Refusal("is not a version that this release reads", "version: 1")
    return version


def _checked_endpoint(endpoint: str) -> str:
    if not endpoint:
        return endpoint
    return checked_url(endpoint) if "://" in endpoint else checked_tcp_address(endpoint)


def _checked_metrics_address(address: str) -> str:
    return checked_tcp_address(address) if address else address


# Seconds up to a day; those that pace a loop are never nought.
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(ge=0.01, le=86_400, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Usd = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
UsdPerMillion = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
FactorWeight = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
EnvironmentPoints = Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
TokensPerSecond = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Mebibytes = Annotated[int, Field(ge=1, le=1_024)]
Tokens = Annotated[int, Field(ge=1, le=100_000_000)]
TokenMark = Annotated[int, Field(ge=0, le=100_000_000)]
Concurrency = Annotated[int, Field(ge=1, le=100_000)]
Failures = Annotated[int, Field(ge=1, le=1_000)]

_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
_ENVIRONMENT_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_MODEL = r"[!-~]{1,200}"
_TEXT = r"[^\x00-\x1f\x7f]{1,500}"

Name = Annotated[
    str,
    AfterValidator(_matching(_NAME, "is not a name", "small letters, digits, - and _, at most 63, such as groq-eu")),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"}),
]
EnvironmentName = Annotated[
    str,
    AfterValidator(
        _matching(
            _ENVIRONMENT_NAME,
            "is not the name of an environment variable",
            "name the variable that holds the key, such as GROQ_API_KEY, never the key itself",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_ENVIRONMENT_NAME}$"}),
]
ModelId = Annotated[
    str,
    AfterValidator(_matching(_MODEL, "is not a model's name", "1 to 200 characters without spaces")),
    WithJsonSchema({"type": "string", "pattern": f"^{_MODEL}$"}),
]
Alias = Annotated[ModelId, AfterValidator(_not_auto)]
Text = Annotated[
    str,
    AfterValidator(_matching(_TEXT, "is empty, too long or holds a control character", "1 to 500 characters")),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 500}),
]

Selector = Annotated[
    str,
    AfterValidator(_matching(_MODEL, "is not a selector", "a provider, a model, tier:local, free, openai/gpt-* …")),
    WithJsonSchema({"type": "string", "pattern": f"^{_MODEL}$"}),
]
Day = Annotated[str, AfterValidator(_checked_date), WithJsonSchema({"type": "string", "format": "date"})]
Zone = Annotated[str, AfterValidator(_checked_zone), WithJsonSchema({"type": "string"})]

_KEY_HASH = r"sha256:[0-9a-fA-F]{64}"
KeyHash = Annotated[
    str,
    AfterValidator(
        _matching(
            _KEY_HASH,
            "is not the hash of a key",
            "sha256: and 64 hexadecimal digits, as `signalbox keys new` prints it; never the key itself",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_KEY_HASH}$"}),
]

Version = Annotated[int, AfterValidator(_readable_version), WithJsonSchema({"const": 1})]
TcpAddress = Annotated[str, AfterValidator(checked_tcp_address)]
ListenAddress = Annotated[str, AfterValidator(checked_listen_address)]
BaseUrl = Annotated[str, AfterValidator(checked_base_url)]
WebPage = Annotated[str, AfterValidator(checked_url)]
Endpoint = Annotated[str, AfterValidator(_checked_endpoint)]
MetricsAddress = Annotated[str, AfterValidator(_checked_metrics_address)]

EnvironmentNames = Annotated[
    list[EnvironmentName],
    Field(max_length=16),
    BeforeValidator(listed, json_schema_input_type=EnvironmentName | list[EnvironmentName]),
]
Aliases = Annotated[
    list[Alias],
    Field(max_length=64),
    BeforeValidator(listed, json_schema_input_type=Alias | list[Alias]),
]
