"""What a provider allows, or gives for nothing, in a window of time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from router_service.config.choices import Unit, Window
from router_service.config.fields import ModelId, Section
from router_service.config.money import usd_nanos
from router_service.config.problem import Refusal
from router_service.core import quota
from router_service.core.windows import Per

MAX_USD = 1_000_000


class LimitEntry(Section):
    """An amount in a window of time. Days, weeks and months begin at midnight UTC."""

    unit: Unit = Field(description="What is counted.", examples=["requests"])
    per: Window = Field(
        description="The window, which starts anew by itself; `ever` never does, as a prepaid balance.",
        examples=["minute"],
    )
    max: Annotated[float, Field(ge=0, le=10**15, allow_inf_nan=False)] = Field(
        description="How much fits into one window: a whole number, or USD.", examples=[30]
    )
    models: list[ModelId] = Field(
        default=[], description="The ids that share it; without any, all of the provider's models.", examples=[["m"]]
    )

    @model_validator(mode="after")
    def _check(self) -> LimitEntry:
        if self.unit == "usd" and self.max > MAX_USD:
            raise Refusal("allows more USD than can be counted", f"at most {MAX_USD} USD")
        if self.unit != "usd" and not self.max.is_integer():
            raise Refusal("allows a part of one", f"a whole number of {self.unit}, for example max: 30")
        return self

    def limit(self) -> quota.Limit:
        """The limit that the entry stands for."""
        models = frozenset(self.models)
        if self.unit == "usd":
            return quota.Limit(unit=quota.Unit.USD_NANOS, per=Per(self.per), max=usd_nanos(self.max), models=models)
        return quota.Limit(unit=quota.Unit(self.unit), per=Per(self.per), max=int(self.max), models=models)


class FreeEntry(LimitEntry):
    """What a provider gives for nothing in a window of time. Days, weeks and months begin at midnight UTC."""
