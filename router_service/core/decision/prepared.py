"""What decisions over one catalogue and one policy share: worked out when first needed, and again when it changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Set
from itertools import islice
from typing import Protocol, TypeVar

from router_service.core.budget import BudgetStanding
from router_service.core.catalog import Catalog
from router_service.core.decision import ranking as rankings
from router_service.core.decision import table as tables
from router_service.core.decision.moment import Moment, Slots
from router_service.core.decision.offer import offers_of
from router_service.core.decision.outlook import Outlooks, outlooks
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
from router_service.core.slices import Slices, finish

MOST_KEPT = 1000
KEPT_ROWS, KEPT_PLACES = 100_000, 500_000
"""Bounds on memory, about 30 MB and 20 MB: so many rows in all tables, and places in all rankings."""

MOST_MOVES = 100
"""What was worked out longer ago than so many changes of health or statistics is worked out anew."""

Key = tuple[object, ...]
Value = TypeVar("Value")


class Sight(Protocol):
    """What of a view a decision's shared part rests on."""

    @property
    def standings(self) -> Mapping[str, Standing]: ...
    @property
    def statistics(self) -> Mapping[str, TargetStatistics]: ...
    @property
    def quotas(self) -> Mapping[str, QuotaStanding]: ...
    @property
    def budget(self) -> BudgetStanding: ...


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
        self._era = 0
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
        return self._took(finish(outlooks(self.offer_of, self.policy, standings, statistics, last)))

    def working_out(self, question: Question, view: Sight) -> Slices[None]:
        """What a decision on `question` shares with others of its kind, as far as it is not known yet. A decision made
        afterwards finds it, and others may be made between the slices.
        """
        last = self._outlooks
        if last is None or last.standings is not view.standings or last.statistics is not view.statistics:
            found = yield from outlooks(self.offer_of, self.policy, view.standings, view.statistics, last)
            if self._outlooks is last:
                self._took(found)
        if self._outlooks is not None:
            moment = self.moment(view.quotas, view.budget)
            key, kind = self._keys(question, self._outlooks, moment)
            if self._rankings.get(key, (-1, None))[0] != self._age:
                yield from self._ranked(key, kind, question, self._outlooks, moment)

    def _took(self, found: Outlooks) -> Outlooks:
        """Go by these from now on. What rests on others is forgotten, or brought up to date when it is asked for."""
        last, self._outlooks = self._outlooks, found
        if last is None or found.moved is None or found.token_marks != last.token_marks:
            self._tables.clear()
            self._rankings.clear()
            self._era += 1
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
        key, kind = self._keys(question, outlooks, moment)
        age, found = self._rankings.get(key, (0, None))
        if found is None or age != self._age:
            found = finish(self._ranked(key, kind, question, outlooks, moment))
        return found

    def _keys(self, question: Question, outlooks: Outlooks, moment: Moment) -> tuple[Key, Key]:
        """By which a ranking is kept, and the table that it orders."""
        tokens, is_bounded = question.input_tokens, question.max_cost_usd_nanos is not None
        kind = (question.profile, question.output_limit, outlooks.band(tokens), is_bounded, moment.key)
        return (octave(tokens), kind), kind

    def _ranked(self, key: Key, kind: Key, question: Question, outlooks: Outlooks, moment: Moment) -> Slices[Ranking]:
        """`outlooks` are the present ones. They may be replaced between the slices: what is kept has the age of those
        that it was made of, and is brought up to date like anything as old.
        """
        now, era, tokens = self._age, self._era, question.input_tokens
        age, found = self._rankings.get(key, (0, None))
        table = yield from self._tabled(kind, question, outlooks, moment)
        since = self._moved_since(age)
        if found is None or since is None or found.table.shortlist is not table.shortlist:
            found = rankings.ranking(table, tokens)
        else:
            found = rankings.moved(found, table, since, tokens)
        if self._era == era:
            _keep(self._rankings, key, (now, found), self._most_rankings)
        return found

    def _tabled(self, kind: Key, question: Question, outlooks: Outlooks, moment: Moment) -> Slices[Table]:
        now, era = self._age, self._era
        age, found = self._tables.get(kind, (0, None))
        if found is not None and age == now:
            return found
        since = self._moved_since(age)
        if found is None or since is None:
            listed = yield from self._shortlisted(question.profile, question.input_tokens, moment)
            found = yield from tables.table(listed, question, self.policy, outlooks, moment, self.slots)
        else:
            found = tables.moved(found, since, question, self.policy, outlooks, moment, self.slots)
        if self._era == era:
            _keep(self._tables, kind, (now, found), self._most_tables)
        return found

    def _moved_since(self, age: int) -> Set[int] | None:
        """The targets that have moved since then, by index; None where they are too many, or no longer known."""
        passed = self._age - age
        if passed > len(self._moves):
            return None
        moved = set().union(*islice(reversed(self._moves), passed))
        return moved if 2 * len(moved) <= len(self.offers) else None

    def shortlist(self, profile: Profile, input_tokens: int, moment: Moment) -> Shortlist:
        return finish(self._shortlisted(profile, input_tokens, moment))

    def _shortlisted(self, profile: Profile, input_tokens: int, moment: Moment) -> Slices[Shortlist]:
        key = (profile, moment.key)
        found = self._shortlists.get(key)
        if found is None:
            found = yield from shortlist(self.offers, profile, self.policy, moment, input_tokens)
            _keep(self._shortlists, key, found, self._most_tables)
        return found

    def strategy(self, name: str) -> Strategy:
        """Raises InvalidRequest for a name that stands for none, or for one that the policy gives nothing to go by."""
        found = self.strategies.get(name)
        if found is None:
            known = ", ".join(sorted(self.strategies))
            raise InvalidRequest([Violation("routing.strategy", f"{name!r} is none; use one of {known}")])
        if lacks := found.lacks(self.policy):
            why = f"{name!r} has nothing to go by: the router's configuration lacks {lacks}"
            raise InvalidRequest([Violation("routing.strategy", why)])
        return found


def _keep(kept: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    if key not in kept and len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = value
