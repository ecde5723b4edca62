"""What decisions over one catalogue and one policy share: worked out when first needed, and again when it changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Set
from itertools import islice
from typing import TypeVar

from router_service.core.budget import BudgetStanding
from router_service.core.catalog import Catalog
from router_service.core.decision import ranking as rankings
from router_service.core.decision import table as tables
from router_service.core.decision.moment import Moment, Slots
from router_service.core.decision.offer import offers_of
from router_service.core.decision.outlook import Outlooks
from router_service.core.decision.policy import Policy
from router_service.core.decision.profile import Profile
from router_service.core.decision.question import Question, marks_of
from router_service.core.decision.ranking import Ranking, octave
from router_service.core.decision.shortlist import Shortlist, shortlist
from router_service.core.decision.standing import Standing
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.decision.strategies import BUILT_IN, Strategy
from router_service.core.decision.table import Table
from router_service.core.errors import InvalidRequest, Violation
from router_service.core.quota import QuotaStanding

MOST_KEPT = 1000
KEPT_ROWS, KEPT_PLACES = 100_000, 500_000
"""Bounds on memory, about 30 MB and 20 MB: so many rows in all tables, and places in all rankings."""

MOST_MOVES = 100
"""What was worked out longer ago than so many changes of health or statistics is worked out anew."""

Key = tuple[object, ...]
Value = TypeVar("Value")


class Prepared:
    """Make one for each catalogue and policy, and hand it to every view of them.

    It remembers what it worked out and forgets the oldest; that changes how long a decision takes and never what it is.
    Health, statistics, quotas and budget are told apart by identity: give the same mapping while nothing changed, and
    never change one in place. `strategies` may hold more than the built-in ones.
    """

    def __init__(self, catalog: Catalog, policy: Policy, strategies: Mapping[str, Strategy] = BUILT_IN) -> None:
        self.catalog = catalog
        self.policy = policy
        self.strategies = strategies
        self.marks = marks_of(policy, catalog)
        self.offers = offers_of(catalog)
        self.slots = Slots(self.offers, catalog.providers)
        self._shortlists: dict[Key, Shortlist] = {}
        self.offer_of = {offer.id: offer for offer in self.offers}
        self._tables: dict[Key, tuple[int, Table]] = {}
        self._rankings: dict[Key, tuple[int, Ranking]] = {}
        self._age = 0
        self._moves: deque[frozenset[int]] = deque(maxlen=MOST_MOVES)
        targets = max(1, len(self.offers))
        self._most_tables = min(MOST_KEPT, max(1, KEPT_ROWS // targets))
        self._most_rankings = min(MOST_KEPT, max(1, KEPT_PLACES // targets))
        self._outlooks: Outlooks | None = None
        self._moment: Moment | None = None

    def outlooks(self, standings: Mapping[str, Standing], statistics: Mapping[str, TargetStatistics]) -> Outlooks:
        last = self._outlooks
        if last is not None and last.standings is standings and last.statistics is statistics:
            return last
        found = self._outlooks = Outlooks(self.offer_of, self.policy, standings, statistics, last)
        if last is None or found.moved is None or found.token_marks != last.token_marks:
            self._tables.clear()
            self._rankings.clear()
        elif found.moved:
            self._moves.append(found.moved)
            self._age += 1
        return found

    def moment(self, quotas: Mapping[str, QuotaStanding], budget: BudgetStanding) -> Moment:
        last = self._moment
        if last is None or last.quotas is not quotas or last.budget is not budget:
            last = self._moment = self.slots.moment(quotas, budget)
        return last

    def ranking(self, question: Question, outlooks: Outlooks, moment: Moment) -> Ranking:
        tokens = question.input_tokens
        is_bounded = question.max_cost_usd_nanos is not None
        kind = (question.profile, question.output_limit, outlooks.band(tokens), is_bounded, moment.key)
        key = (octave(tokens), kind)
        age, found = self._rankings.get(key, (0, None))
        if found is None or age != self._age:
            table, since = self._table(kind, question, outlooks, moment), self._moved_since(age)
            if found is None or since is None or found.table.shortlist is not table.shortlist:
                found = rankings.ranking(table, tokens)
            else:
                found = rankings.moved(found, table, since, tokens)
            _keep(self._rankings, key, (self._age, found), self._most_rankings)
        return found

    def _table(self, kind: Key, question: Question, outlooks: Outlooks, moment: Moment) -> Table:
        age, found = self._tables.get(kind, (0, None))
        if found is None or age != self._age:
            since = self._moved_since(age)
            if found is None or since is None:
                listed = self.shortlist(question.profile, question.input_tokens, moment)
                found = tables.table(listed, question, self.policy, outlooks, moment, self.slots)
            else:
                found = tables.moved(found, since, question, self.policy, outlooks, moment, self.slots)
            _keep(self._tables, kind, (self._age, found), self._most_tables)
        return found

    def _moved_since(self, age: int) -> Set[int] | None:
        """The targets that have moved since then, by index; None where they are too many, or no longer known."""
        passed = self._age - age
        if passed > len(self._moves):
            return None
        moved = set().union(*islice(reversed(self._moves), passed))
        return moved if 2 * len(moved) <= len(self.offers) else None

    def shortlist(self, profile: Profile, input_tokens: int, moment: Moment) -> Shortlist:
        key = (profile, moment.key)
        found = self._shortlists.get(key)
        if found is None:
            found = shortlist(self.offers, profile, self.policy, moment, input_tokens)
            _keep(self._shortlists, key, found, self._most_tables)
        return found

    def strategy(self, name: str) -> Strategy:
        """Raises InvalidRequest for a name that stands for none, or for one that the policy gives nothing to go by."""
        found = self.strategies.get(name)
        if found is None:
            known = ", ".join(sorted(self.strategies))
            raise InvalidRequest([Violation("routing.strategy", f"{name!r} is none; use one of {known}")])
        if lacks := found.needs(self.policy):
            why = f"{name!r} has nothing to go by: the router's configuration lacks {lacks}"
            raise InvalidRequest([Violation("routing.strategy", why)])
        return found


def _keep(kept: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    if key not in kept and len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = value
