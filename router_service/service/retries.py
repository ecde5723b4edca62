"""The budget of further attempts: what keeps a storm of failures from being multiplied by those who ask again."""

from __future__ import annotations

from random import Random

from router_service.service.allowance import Allowance

SHARE = 0.2
"""Where everything fails, so much more is asked of providers than callers ask, and no more."""
MOST = 10.0
"""How many further attempts a target, and a caller, may have at once."""
PER_S = 10.0
"""How many more a caller may have in a second, however little it asks."""
SHORTEST_S, LONGEST_S = 0.05, 0.2


class Retries:
    """Two allowances bind each further attempt: its caller's, and that of the target that is to be asked.

    Requests fill their caller's, and that of the target that they try first. A further attempt that succeeds is given
    back, and counts at its target like a first one: both are bound in what is asked in vain.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._callers: dict[str, Allowance] = {}
        self._targets: dict[str, Allowance] = {}
        self._ill: set[str] = set()
        self._vain: set[str] = set()

    def asked(self, tenant: str, target: str, *, now: float) -> None:
        """A request of `tenant` goes to `target`, by id, as its first."""
        self._of_caller(tenant, now).put(SHARE)
        self._of_target(target).put(SHARE)

    def allow(self, tenant: str, target: str, *, now: float) -> bool:
        """Whether there may be a further attempt at `target`."""
        return self._of_caller(tenant, now).has_one(now=now) and self._of_target(target).has_one()

    def take(self, tenant: str, target: str, *, now: float, is_well: bool = False) -> bool:
        """The permission for a further attempt at `target`, if there is one. A target that was ill and no longer is
        gets one: what is never asked first, and may not be asked further, could not earn any back.
        """
        if not is_well:
            self._ill.add(target)
        elif target in self._ill:
            self._ill.remove(target)
            self._of_target(target).put(1.0)
        if not self.allow(tenant, target, now=now):
            return False
        self._of_caller(tenant, now).take()
        self._of_target(target).take()
        return True

    def give_back(self, tenant: str, target: str, *, now: float) -> None:
        """The attempt did not begin."""
        self._of_caller(tenant, now).put(1.0)
        self._of_target(target).put(1.0)

    def succeeded(self, tenant: str, target: str, *, now: float) -> None:
        """A further attempt at `target` was not in vain."""
        self._of_caller(tenant, now).put(1.0)
        self._of_target(target).put(1.0)
        self.answered(target)

    def answered(self, target: str) -> None:
        """An attempt at `target` that was not a request's first succeeded."""
        self._of_target(target).put(SHARE)
        self._vain.discard(target)

    def may_come_again(self, target: str) -> bool:
        """Whether a call that lost a kept connection to `target` comes again on a new one without permission: many may
        be lost in one moment, and where the last that came again was served, it is not the target that fails.
        """
        return target not in self._vain

    def came_again_in_vain(self, target: str) -> None:
        """A call that came again on a new connection failed there too."""
        self._vain.add(target)

    def pause_s(self, *, told_s: float | None) -> float | None:
        """How long to wait before the same target is asked again; None where it is not to be.

        `told_s` is the provider's own word on when to come again, which is obeyed: a longer wait is left to the caller.
        """
        if told_s is not None and told_s > LONGEST_S:
            return None
        return max(told_s or 0.0, self._rng.uniform(SHORTEST_S, LONGEST_S))

    def _of_caller(self, tenant: str, now: float) -> Allowance:
        found = self._callers.get(tenant)
        if found is None:
            found = self._callers[tenant] = Allowance(most=MOST, per_s=PER_S, now=now)
        return found

    def _of_target(self, target: str) -> Allowance:
        found = self._targets.get(target)
        if found is None:
            found = self._targets[target] = Allowance(most=MOST)
        return found
