"""What each tenant may ask for, on a clock that is moved by hand."""

from __future__ import annotations

import logging
from dataclasses import replace
from random import Random

import pytest

from router_service.core.attempt import Attempt
from router_service.core.catalog import Catalog, Model, Provider, Target
from router_service.core.chat import Prompt, Usage
from router_service.core.errors import AllowanceSpent, StreamLimit
from router_service.core.events import RequestFinished, RouteFinished
from router_service.core.outcome import Outcome
from router_service.core.plan import Plan, View
from router_service.core.plan import plan as decide
from router_service.core.request import Request, Routing
from router_service.core.tenant import Allowance, Tenant
from router_service.service.allowances import Account, Allowances
from router_service.service.objections import served_on_trial

TARGET, OTHER = (
    Target(Provider(name=name, dialect="openai", base_url="http://127.0.0.1:1"), Model(id=model))
    for name, model in (("alder", "small"), ("birch", "large"))
)
ALDER = "alder/small is none that may serve it"
CATALOG = Catalog(targets=(TARGET, OTHER))


class Rig:
    """Allowances of one tenant, web."""

    def __init__(self, *, is_log_only: bool = False, only: tuple[str, ...] = (), **bounds: int) -> None:
        self.now = 0.0
        self.allowances = Allowances(clock=lambda: self.now)
        self.tenant = Tenant(name="web", allowance=Allowance(**bounds), is_log_only=is_log_only, only=only)
        self.adopt(self.tenant)

    def adopt(self, *tenants: Tenant) -> None:
        self.allowances.adopt(tenants, served_on_trial(tenants, CATALOG))

    def enter(self, tenant: str = "web", *, is_stream: bool = False) -> Account | None:
        return self.allowances.enter(tenant, is_stream=is_stream)

    def place(self) -> Account:
        """Where a request of web has entered."""
        account = self.enter()
        assert account is not None
        return account

    def refusal(self) -> AllowanceSpent:
        with pytest.raises(AllowanceSpent) as caught:
            self.enter()
        return caught.value

    def pay(self, tokens: int) -> None:
        self.end(attempts=(_attempt(tokens), _attempt(0)))

    def end(
        self,
        *,
        plan: Plan | None = None,
        attempts: tuple[Attempt, ...] = (),
        routing: Routing | None = None,
        outcome: str = "OK",
    ) -> None:
        self.allowances.request_finished(
            RequestFinished(
                request=asked(routing),
                is_stream=False,
                plan=plan,
                attempts=attempts,
                latency_s=0.0,
                delivered_chunks=0,
                outcome=outcome,
                trace=None,
            )
        )

    def decide(self, routing: Routing | None = None) -> None:
        """A decision over all targets, as one that is only logged is made."""
        request = asked(routing)
        found = decide(request, View(catalog=CATALOG), Random(0))
        self.allowances.route_finished(
            RouteFinished(request=request, plan=found, latency_s=0.0, outcome="OK", trace=None)
        )


def asked(routing: Routing | None = None) -> Request:
    prompt = Prompt(messages=())
    return Request(request_id="r", prompt=prompt, deadline=0.0, tenant="web", routing=routing or Routing())


def _attempt(tokens: int) -> Attempt:
    return Attempt(
        target=TARGET,
        outcome=Outcome.OK,
        number=1,
        start_time=0.0,
        latency_s=0.1,
        usage=Usage(input_tokens=tokens - tokens // 2, output_tokens=tokens // 2) if tokens else None,
    )


def test_the_sixty_first_request_of_a_minute_is_refused_with_the_wait() -> None:
    rig = Rig(requests_per_minute=60)
    for _ in range(60):
        rig.enter()
    refusal = rig.refusal()
    assert refusal.subject == "tenant:web"
    assert refusal.retry_after_s == pytest.approx(1.0)
    assert "60 requests a minute" in str(refusal)
    rig.now = 1.0
    rig.enter()
    rig.refusal()


def test_a_refused_request_takes_nothing() -> None:
    rig = Rig(requests_per_minute=60, concurrency=1)
    place = rig.place()
    for _ in range(100):
        rig.refusal()
    place.leave()
    rig.enter()


def test_tokens_are_paid_at_the_end_and_may_be_overdrawn() -> None:
    rig = Rig(tokens_per_minute=600)
    rig.enter()
    rig.enter()
    rig.pay(700)
    assert rig.refusal().retry_after_s == pytest.approx(10.1)
    rig.now = 10.2
    rig.enter()


def test_concurrency_is_given_back() -> None:
    rig = Rig(concurrency=2)
    place = rig.place()
    rig.enter(is_stream=True)
    assert rig.refusal().retry_after_s == 1.0
    with pytest.raises(StreamLimit, match="2 requests under way"):
        rig.enter(is_stream=True)
    place.leave()
    rig.enter()


def test_others_are_not_bound() -> None:
    rig = Rig(requests_per_minute=1)
    rig.enter()
    rig.refusal()
    for _ in range(10):
        rig.enter("")
        rig.enter("another")


def test_what_was_counted_stays_over_a_reload_unless_the_bound_changed() -> None:
    rig = Rig(requests_per_minute=1, concurrency=5)
    place = rig.place()
    rig.adopt(Tenant(name="web", allowance=Allowance(requests_per_minute=1, concurrency=1)))
    assert "under way" in str(rig.refusal())
    place.leave()
    assert "1 requests a minute" in str(rig.refusal())
    rig.adopt(Tenant(name="web", allowance=Allowance(requests_per_minute=2)))
    later = rig.place()
    rig.adopt()
    later.leave()
    assert rig.enter() is None


def test_what_is_under_way_is_counted_when_its_tenant_comes_back() -> None:
    rig = Rig(concurrency=2)
    places = [rig.place(), rig.place()]
    rig.adopt()
    rig.adopt(Tenant(name="another"))
    rig.adopt(rig.tenant)
    rig.refusal()
    places.pop().leave()
    places = [*places, rig.place()]
    rig.refusal()
    for place in places:
        place.leave()
    assert [rig.enter(), rig.enter()]
    rig.refusal()


def test_log_only_refuses_nothing_and_says_so_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(is_log_only=True, requests_per_minute=1, tokens_per_minute=1, concurrency=1, only=("birch",))
    rig.enter()
    rig.pay(100)
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            rig.enter()
            rig.enter(is_stream=True)
            rig.decide()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    assert all(text.startswith("tenant web would be refused, were it not only logged: ") for text in said)
    assert {text.partition(": ")[2] for text in said} == {
        "web has used up its 1 requests a minute",
        "web has used up its 1 tokens a minute",
        "web has 1 requests under way, and may have 1",
        "alder/small is none that may serve it",
    }
    rig.now = 10.0
    rig.enter()
    assert len(caplog.records) > 4


def test_log_only_runs_up_no_debt() -> None:
    rig = Rig(is_log_only=True, requests_per_minute=60, tokens_per_minute=600)
    for _ in range(1500):
        rig.enter()
        rig.pay(100)
    rig.adopt(replace(rig.tenant, is_log_only=False))
    for _ in range(60):
        rig.enter()
    assert rig.refusal().retry_after_s == pytest.approx(1.0)


def test_log_only_tells_what_would_be_refused_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(is_log_only=True, requests_per_minute=60, tokens_per_minute=600)
    for _ in range(500):
        rig.enter()
        rig.pay(10)
    assert {"60 requests" in text or "600 tokens" in text for text in caplog.messages} == {True}
    caplog.clear()
    rig.now = 2.0
    rig.enter()
    assert caplog.messages == []


def test_log_only_pays_an_overdraft_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(is_log_only=True, tokens_per_minute=600)
    for _ in range(100):
        rig.enter()
        rig.pay(700)
    caplog.clear()
    rig.now = 10.2
    rig.enter()
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("routing", "told"),
    [
        (Routing(model="small"), {"no target that serves web answers to the model 'small'", ALDER}),
        (Routing(allowed_providers=frozenset({"alder"})), {"routing.allowed_providers: 'alder' is no provider", ALDER}),
        (Routing(denied_providers=frozenset({"alder"})), {"routing.denied_providers: 'alder' is no provider"}),
        (Routing(), {ALDER}),
        (Routing(model="large"), set()),
    ],
)
def test_a_decision_tells_what_only_would_not_allow(
    routing: Routing, told: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(is_log_only=True, only=("birch",))
    rig.decide(routing)
    said = {text.partition("only logged: ")[2] for text in caplog.messages}
    assert {text.partition(" of this router")[0].partition(";")[0] for text in said} == told
    caplog.clear()
    Rig(only=("birch",)).decide(routing)
    Rig(is_log_only=True).decide(routing)
    assert caplog.messages == []


def test_a_request_without_a_plan_tells_of_its_names(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(is_log_only=True, only=("birch",))
    rig.end(routing=Routing(model="small"), outcome="UNKNOWN_TARGET")
    assert caplog.messages == [], "it was refused for that as it is"
    rig.end(routing=Routing(model="small"), outcome="NO_ELIGIBLE_TARGET")
    assert "answers to the model 'small'" in caplog.text


def test_an_attempt_elsewhere_is_told_of_too(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(is_log_only=True, only=("birch",))
    rig.end(attempts=(_attempt(1),))
    assert ALDER in caplog.text


def test_selectors_are_those_of_rules() -> None:
    assert Tenant(name="web").may_use(TARGET)
    assert Tenant(name="web", only=("birch", "alder")).may_use(TARGET)
    assert Tenant(name="web", only=("alder/*",)).may_use(TARGET)
    assert Tenant(name="web", only=("small",)).may_use(TARGET)
    assert Tenant(name="web", only=("tier:premium",)).may_use(TARGET)
    assert not Tenant(name="web", only=("tier:local", "birch/*")).may_use(TARGET)
