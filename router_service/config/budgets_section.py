"""The money's part of the file: what may be spent, by whom, and in which window."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from pydantic import Field

from router_service.config.fields import Name, Section, Share, Usd, Zone
from router_service.config.money import usd_nanos
from router_service.core import budget

# The defaults stand once, in core.
_RULES = budget.BudgetRules()


class ProviderBudget(Section):
    """What one provider may cost."""

    daily_usd: Usd | None = Field(default=None, description="In a day.", examples=[5])
    request_usd: Usd | None = Field(default=None, description="For one request.", examples=[0.5])


class BudgetsSection(Section):
    """What may be spent. Once a bound is reached, only what is free is called until its window ends."""

    daily_usd: Usd | None = Field(default=None, description="What all providers may cost in a day.", examples=[10])
    weekly_usd: Usd | None = Field(default=None, description="In a week, from Monday on.", examples=[50])
    monthly_usd: Usd | None = Field(default=None, description="In a month.", examples=[150])
    zone: Zone = Field(
        default="UTC",
        description="The time zone whose midnight begins days, weeks and months.",
        examples=["Europe/Berlin"],
    )
    hard: bool = Field(
        default=_RULES.is_hard,
        description="Whether no call may cross a bound: its answer is held to what is left, or it is refused. "
        "Else that one still runs.",
    )
    free_only: bool = Field(
        default=_RULES.free_only, description="Whether nothing that has a price is ever called, whoever asks for it."
    )
    warn_at: Share = Field(
        default=_RULES.warn_at, description="The share of a bound that raises an alert.", examples=[0.8]
    )
    providers: dict[Name, ProviderBudget] = Field(
        default={}, description="What each provider may cost.", examples=[{"openai": {"daily_usd": 5}}]
    )

    def rules(self) -> budget.BudgetRules:
        """The rules that the section stands for."""
        return budget.BudgetRules(
            daily_usd_nanos=_nanos(self.daily_usd),
            weekly_usd_nanos=_nanos(self.weekly_usd),
            monthly_usd_nanos=_nanos(self.monthly_usd),
            providers={
                name: budget.ProviderBudget(
                    daily_usd_nanos=_nanos(entry.daily_usd), request_usd_nanos=_nanos(entry.request_usd)
                )
                for name, entry in self.providers.items()
            },
            warn_at=self.warn_at,
            is_hard=self.hard,
            free_only=self.free_only,
            zone=_zone(self.zone),
        )


def _nanos(usd: float | None) -> int | None:
    return None if usd is None else usd_nanos(usd)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
