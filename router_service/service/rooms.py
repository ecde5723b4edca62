"""What an attempt takes before its first byte goes out and gives back at its end: quota, money, a slot."""

from __future__ import annotations

from collections.abc import Mapping

from router_service.core.catalog import Target
from router_service.core.chat import Usage
from router_service.core.decision.expectation import Expectation
from router_service.core.decision.rejection import Refusal
from router_service.core.plan import Plan, Rejection
from router_service.core.prices import cost_usd_nanos
from router_service.core.quota import Amounts, Refused, RefusedBy, Reservation, amounts_of
from router_service.core.request import Request
from router_service.service.slots import Slots
from router_service.store.ports import Quotas

NOTHING = Amounts()
ONE_REQUEST = Amounts(requests=1)
REASONS: Mapping[RefusedBy, Rejection] = {
    RefusedBy.QUOTA: Rejection.QUOTA,
    RefusedBy.BUDGET: Rejection.SPEND_LIMIT,
    RefusedBy.FREE_ONLY: Rejection.SPEND_LIMIT,
    RefusedBy.REQUEST_LIMIT: Rejection.COST_PER_REQUEST,
}


class Room:
    """One attempt's, to be given back once. `input_tokens` and `output_tokens` are estimates of what the target will
    count, and `usd_nanos` of the most that it will charge. `output_limit` is what its answer has to be held to, so that
    bounds on money hold; None where they do without.
    """

    __slots__ = ("_reservation", "_rooms", "input_tokens", "output_limit", "output_tokens", "target", "usd_nanos")

    def __init__(self, rooms: Rooms, target: Target, reservation: Reservation, expected: Expectation) -> None:
        self._rooms = rooms
        self._reservation = reservation
        self.target = target
        self.input_tokens = expected.input_tokens
        self.output_tokens = expected.output_tokens
        self.usd_nanos = 0 if reservation.is_free else expected.worst_usd_nanos
        self.output_limit = None if reservation.is_free else expected.output_limit

    def give_back(self, usage: Usage | None, *, was_sent: bool) -> int:
        """The attempt has ended, however it did; returns its bill in 1e-9 USD. Without usage it has no bill, but what
        was sent is a request all the same: a provider counts those that it answers with an error.
        """
        return self._rooms.settle(self.target, self._reservation, usage, was_sent=was_sent)


class Rooms:
    """All targets' rooms."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self.slots = Slots()

    def take(
        self, request: Request, plan: Plan, place: int, *, spent_usd_nanos: int, written_tokens: int = 0
    ) -> Room | Refusal:
        """Room for an attempt at the plan's target in that place, or why there is none by now.

        A plan rests on how things stood when it was made; others may have taken the room since. `spent_usd_nanos` is
        what the other attempts of the same request come to, since its bound covers their sum. `written_tokens` is how
        much of the answer they have delivered, which is read anew by whoever goes on with it.
        """
        target = plan.targets[place]
        if not self.slots.take(target):
            running = self.slots.in_flight[target.id]
            return Refusal(Rejection.CONCURRENCY, f"{running} requests are in flight there by now")
        return self.take_beside(request, plan, place, spent_usd_nanos=spent_usd_nanos, written_tokens=written_tokens)

    def take_beside(
        self, request: Request, plan: Plan, place: int, *, spent_usd_nanos: int, written_tokens: int = 0
    ) -> Room | Refusal:
        """The same for who has a slot there already, and loses it where the rest is refused."""
        room: Room | Refusal | None = None
        if written_tokens:
            plan = plan.going_on(written_tokens)
            room = plan.refusal_if_too_long(place)
        room = room or self._reserved(request, plan, place, spent_usd_nanos=spent_usd_nanos)
        if isinstance(room, Refusal):
            self.slots.give_back(plan.targets[place])
        return room

    def _reserved(self, request: Request, plan: Plan, place: int, *, spent_usd_nanos: int) -> Room | Refusal:
        target, bound = plan.targets[place], request.routing.max_cost_usd_nanos
        payable = self._quotas.payable(target.provider.name, target.model.id, tenant=request.tenant)
        left = None if bound is None else max(0, bound - spent_usd_nanos)
        expected = plan.expectation(place, min((n for n in (left, payable) if n is not None), default=None))
        reserved = self._quotas.reserve(
            target.provider.name,
            target.model.id,
            expected.amounts,
            tenant=request.tenant,
            worst_usd_nanos=expected.worst_usd_nanos,
        )
        if isinstance(reserved, Refused):
            return Refusal(REASONS[reserved.by], reserved.what, reserved.retry_in_s, reserved.subject)
        if not reserved.is_free and (refusal := plan.refusal_if_paid(place)):
            self._quotas.settle(reserved, NOTHING)
            return refusal
        if left is not None and not reserved.is_free and expected.amounts.usd_nanos > left:
            self._quotas.settle(reserved, NOTHING)
            what = "with the attempts before it, it would cost more than the request may"
            return Refusal(Rejection.COST_PER_REQUEST, what)
        return Room(self, target, reserved, expected)

    def settle(self, target: Target, reservation: Reservation, usage: Usage | None, *, was_sent: bool) -> int:
        """As Room.give_back."""
        self.slots.give_back(target)
        if usage is None:
            self._quotas.settle(reservation, ONE_REQUEST if was_sent else NOTHING)
            return 0
        cost = cost_usd_nanos(usage, target.model.prices.at(usage.input_tokens))
        self._quotas.settle(reservation, amounts_of(usage.input_tokens + usage.output_tokens, cost))
        return 0 if reservation.is_free else cost

    def observe_headers(self, target: Target, headers: Mapping[str, str]) -> None:
        """The head of an answer has come: what it says of limits corrects our count."""
        self._quotas.observe_headers(target.provider.name, headers, model=target.model.id)
