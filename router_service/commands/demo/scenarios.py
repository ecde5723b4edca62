"""The scenarios of `signalbox demo`, in the order in which they are told."""

from __future__ import annotations

from router_service.commands.demo import choosing, failing, free_tiers
from router_service.commands.demo.scenario import Scenario

FREE_TIERS, DAY_WINDOWS, PAID, EUROPE = "free_tiers.yaml", "day_windows.yaml", "paid.yaml", "europe.yaml"

SCENARIOS = (
    Scenario(
        name="normal",
        about="30 requests: reasoning, urgent ones, and general ones while Groq is saturated",
        configuration=FREE_TIERS,
        play=free_tiers.normal,
    ),
    Scenario(
        name="quota",
        about="250 requests use up one free window and go on with the next",
        configuration=DAY_WINDOWS,
        play=free_tiers.quota,
    ),
    Scenario(
        name="speed",
        about="20 speed-critical requests go to the fastest",
        configuration=FREE_TIERS,
        play=free_tiers.speed,
    ),
    Scenario(
        name="development",
        about="15 requests in development stay on the own machine",
        configuration=FREE_TIERS,
        play=free_tiers.development,
    ),
    Scenario(
        name="cost",
        about="100 requests for nothing, beside what paid models would have cost",
        configuration=FREE_TIERS,
        play=free_tiers.cost,
    ),
    Scenario(
        name="cascade",
        about="each provider exhausted or broken in turn",
        configuration=FREE_TIERS,
        play=failing.cascade,
    ),
    Scenario(
        name="strategies",
        about="100 queries of three kinds under each strategy",
        configuration=PAID,
        play=choosing.strategies,
    ),
    Scenario(
        name="outage",
        about="500 requests in 60 s while the first choice fails for a while",
        configuration=DAY_WINDOWS,
        play=failing.outage,
    ),
    Scenario(
        name="compliance",
        about="EU data with gdpr, also when providers fail",
        configuration=EUROPE,
        play=failing.compliance,
    ),
)
