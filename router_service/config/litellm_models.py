"""The entries of LiteLLM's model_list as providers and models."""

from __future__ import annotations

import re
from dataclasses import dataclass

from router_service.config.addresses import checked_base_url, is_plain_http_to_far
from router_service.config.litellm_info import model_entry
from router_service.config.litellm_names import Home, home_of, variable_in
from router_service.config.problem import Loc, Refusal
from router_service.config.remainder import Remainder
from router_service.config.source import Value
from router_service.config.values import at

Entry = dict[str, Value]

KIND_KEYS = ("dialect", "tier", "open_weights", "unpriced")
PLACE_KEYS = ("key_page", "region", "compliance", "sla", "speed")
"""What of a shipped provider holds at its own address alone. Limits and free windows are the operator's to add."""
MOST_A_MINUTE = 10**12
RATES = {"rpm": "requests", "tpm": "tokens"}
PARAMETERS = ("model", "api_base", "base_url", "api_key", "custom_llm_provider", "weight", *RATES)
DEPLOYMENT = ("model_name", "litellm_params", "model_info")
ELSEWHERE = {
    "api_version": "no dialect here asks for one",
    "aws_region_name": "set the variable AWS_REGION",
    "vertex_location": "it is part of the provider's base_url",
    "vertex_project": "set the variable GOOGLE_CLOUD_PROJECT",
    "timeout": "see the provider's timeouts_s",
    "stream_timeout": "see the provider's timeouts_s",
    "max_parallel_requests": "see the provider's max_concurrency",
}
"""What has its place in the environment or in another section."""
MOST_OF_AN_ADDRESS = 100
"""So many characters of an address go into the name of a variable, which may have 128."""
_GROUP = re.compile(r"[!-)+-~]{1,200}")
"""A model's name as this configuration has it, without `*`, which is LiteLLM's for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What tells one provider of the result from another."""

    home: str
    base_url: str
    key_env: tuple[str, ...]


class _LeftOut(Exception):
    """A deployment cannot be carried over, for something at `loc`."""

    def __init__(self, loc: Loc, why: str) -> None:
        super().__init__(why)
        self.loc = loc
        self.why = why


class Models:
    """Collects providers with their models, the targets' ids by the names that callers use, and their weights."""

    def __init__(self, remainder: Remainder, shipped: Value) -> None:
        self.groups: dict[str, list[str]] = {}
        self.shares: Entry = {}
        self._remainder = remainder
        self._shipped = shipped
        self._providers: dict[Account, Entry] = {}
        self._models: dict[str, Entry] = {}
        self._addresses: dict[str, str] = {}

    @property
    def providers(self) -> tuple[Entry, ...]:
        return tuple(self._providers.values())

    def add(self, entry: Value, loc: Loc) -> None:
        """Carry one deployment over, or note why it cannot be."""
        params, at_params = at(entry, "litellm_params"), (*loc, "litellm_params")
        try:
            group = _group(at(entry, "model_name"), (*loc, "model_name"))
            home = self._home(params, (*at_params, "model"))
            account = self._account(home, params, at_params)
        except _LeftOut as left_out:
            self._leave_out(entry, loc, left_out)
            return
        provider = self._provider(account, home)
        target = self._target(provider, home, entry, loc)
        self.join(group, [target])
        self._rates(provider, home.model, params, at_params)
        self._weight(target, at(params, "weight"))
        for key in ELSEWHERE.keys() & (params.keys() if isinstance(params, dict) else ()):
            self._remainder.note((*at_params, key), ELSEWHERE[key])
        known = (*PARAMETERS, *ELSEWHERE)
        self._remainder.rest(params, at_params, known, "parameters of a request come with the request")
        self._remainder.rest(entry, loc, DEPLOYMENT, "it has no counterpart")

    def join(self, group: str, targets: list[str]) -> None:
        """Let targets go by a group's name as well."""
        for target in targets:
            members = self.groups.setdefault(group, [])
            if target in members:
                continue
            members.append(target)
            model = self._models[target]
            if group != model["id"]:
                names = model.setdefault("alias", [])
                assert isinstance(names, list), "aliases begin as a list"
                names.append(group)

    def _leave_out(self, entry: Value, loc: Loc, left_out: _LeftOut) -> None:
        """Name the whole deployment, each line of it: none of them is carried over."""
        params, cause = at(entry, "litellm_params"), str(left_out.loc[-1])
        self._remainder.note(left_out.loc, left_out.why)
        self._remainder.note(loc, f"this deployment is left out, since its {cause} cannot be carried over")
        self._remainder.rest(params, (*loc, "litellm_params"), (cause,), "its deployment is left out")
        self._remainder.rest(entry, loc, ("model_name", "litellm_params"), "its deployment is left out")

    def _home(self, params: Value, loc: Loc) -> Home:
        name = _full_name(params)
        home = home_of(name, self._shipped) if isinstance(name, str) and _GROUP.fullmatch(name) else None
        if home is None:
            raise _LeftOut(loc, "its provider cannot be told; write it as provider/model")
        return home

    def _account(self, home: Home, params: Value, loc: Loc) -> Account:
        base_url, key = self._base_url(home, params, loc), at(params, "api_key")
        if key is not None and is_plain_http_to_far(base_url):
            raise _LeftOut((*loc, _address_key(params)), "the key would cross networks over plain http; use https")
        key_env = self._key_env(home, base_url, key, (*loc, "api_key"))
        return Account(home=home.provider, base_url=base_url, key_env=key_env)

    def _base_url(self, home: Home, params: Value, loc: Loc) -> str:
        """The address that the file gives, else the shipped one."""
        shipped, key = at(home.known_provider, "base_url"), _address_key(params)
        given = at(params, key)
        if given is None and isinstance(shipped, str):
            return shipped
        if given is None:
            raise _LeftOut((*loc, "model"), "its provider is not a shipped one, and no api_base is given")
        variable = variable_in(given)
        address = f"${{{variable}}}" if variable else given
        try:
            return checked_base_url(_completed(address, home, shipped))
        except Refusal as refusal:
            raise _LeftOut((*loc, key), f"as an address, it {refusal}") from refusal

    def _key_env(self, home: Home, base_url: str, given: Value, loc: Loc) -> tuple[str, ...]:
        """The variables that hold the key. What holds a shipped provider's own goes to that one's address alone."""
        if variable := variable_in(given):
            return (variable,)
        usual = _names(at(home.known_provider, "key_env"))
        is_at_home = base_url == at(home.known_provider, "base_url")
        if given is None:
            return usual if is_at_home else ()
        named = usual if is_at_home and usual else (self._variable_for(base_url),)
        self._remainder.note(loc, f"keys do not stand in a file; put it into the variable {named[0]}")
        return named

    def _variable_for(self, base_url: str) -> str:
        """A variable for the key of this address and no other."""
        name = re.sub(r"[^A-Z0-9]+", "_", base_url.partition("://")[2].upper() or base_url.upper()).strip("_")
        stem = f"KEY_FOR_{name[:MOST_OF_AN_ADDRESS]}"
        names = (stem, *(f"{stem}_{number}" for number in range(2, len(self._addresses) + 3)))
        return next(name for name in names if self._addresses.setdefault(name, base_url) == base_url)

    def _provider(self, account: Account, home: Home) -> Entry:
        if account in self._providers:
            return self._providers[account]
        count = 1 + sum(other.home == account.home for other in self._providers)
        entry: Entry = {"name": account.home if count == 1 else f"{account.home}-{count}"}
        if isinstance(home.known_provider, dict):
            is_at_home = account.base_url == home.known_provider.get("base_url")
            facts = (*KIND_KEYS, *(PLACE_KEYS if is_at_home else ()))
            entry.update({key: home.known_provider[key] for key in facts if key in home.known_provider})
        entry["base_url"] = account.base_url
        if account.key_env:
            entry["key_env"] = list(account.key_env)
        entry["models"] = []
        self._providers[account] = entry
        return entry

    def _target(self, provider: Entry, home: Home, entry: Value, loc: Loc) -> str:
        """The target's id. The first entry of a target says what is known of it; others add names."""
        target = f"{provider['name']}/{home.model}"
        if target not in self._models:
            model = model_entry(home, at(entry, "model_info"), (*loc, "model_info"), self._remainder)
            self._models[target] = model
            models = provider["models"]
            assert isinstance(models, list), "a provider begins with a list of models"
            models.append(model)
        return target

    def _rates(self, provider: Entry, model: str, params: Value, loc: Loc) -> None:
        limits = provider.get("limits", [])
        assert isinstance(limits, list), "limits begin as a list"
        for key, unit in RATES.items():
            rate = at(params, key)
            if rate is None:
                continue
            if not isinstance(rate, int) or isinstance(rate, bool) or not 0 <= rate <= MOST_A_MINUTE:
                self._remainder.note((*loc, key), "it is no whole number, or too large a one")
                continue
            limits.append({"unit": unit, "per": "minute", "max": rate, "models": [model]})
            provider["limits"] = limits

    def _weight(self, target: str, weight: Value) -> None:
        if isinstance(weight, int | float) and not isinstance(weight, bool) and 0 <= weight <= 1_000:
            self.shares[target] = weight


def _group(given: Value, loc: Loc) -> str:
    if not isinstance(given, str) or not _GROUP.fullmatch(given) or given == "auto":
        raise _LeftOut(loc, "only plain names are; name each model, not a wildcard")
    return given


def _address_key(params: Value) -> str:
    return "api_base" if at(params, "api_base") is not None else "base_url"


def _full_name(params: Value) -> Value:
    """The model's name with its provider, which LiteLLM also takes apart from it."""
    model, provider = at(params, "model"), at(params, "custom_llm_provider")
    if not (isinstance(model, str) and isinstance(provider, str)) or model.startswith(f"{provider}/"):
        return model
    return f"{provider}/{model}"


def _names(given: Value) -> tuple[str, ...]:
    """The entries of a list of text, which may stand for one by itself."""
    if isinstance(given, list):
        return tuple(map(str, given))
    return (given,) if isinstance(given, str) else ()


def _completed(address: Value, home: Home, shipped: Value) -> str:
    """LiteLLM adds the end of some addresses by itself."""
    text = str(address).rstrip("/")
    if isinstance(shipped, str) and shipped.startswith("${"):
        end = shipped.partition("}")[2]
        return text if text.endswith(end) else text + end
    if home.provider == "ollama" and not text.endswith("/v1"):
        return f"{text}/v1"
    return text
