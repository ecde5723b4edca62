"""The configuration: finds the YAML file, holds it against its schema, and makes the settings that it stands for."""

from router_service.config.check import Chain, Checked, check
from router_service.config.export import Form, exported, shown
from router_service.config.litellm import Imported, imported
from router_service.config.load import find, load, simulated, watched
from router_service.config.origin import Origin
from router_service.config.problem import ConfigError, Problem
from router_service.config.remainder import LeftOut
from router_service.config.schema import schema
from router_service.config.watch import Watch

__all__ = [
    "Chain",
    "Checked",
    "ConfigError",
    "Form",
    "Imported",
    "LeftOut",
    "Origin",
    "Problem",
    "Watch",
    "check",
    "exported",
    "find",
    "imported",
    "load",
    "schema",
    "shown",
    "simulated",
    "watched",
]
