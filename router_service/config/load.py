"""Finds the configuration file and loads it: read, validate, build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path

from router_service.config.build import Surroundings, build
from router_service.config.source import parse, read
from router_service.config.unbuilt import warned
from router_service.config.validate import validate
from router_service.core.settings import Settings

PATH_VARIABLE = "SIGNALBOX_CONFIG"
DEFAULT_PATH = Path("signalbox.yaml")
BUILT_IN = "simulated.yaml"


def find(flag: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file to load: `--config`, else $SIGNALBOX_CONFIG, else ./signalbox.yaml; None stands for the built-in one.

    A file that was named need not exist; loading it says so. A dangling link counts as a file, because whoever
    made it does not expect the simulated providers.
    """
    if named := flag or environ.get(PATH_VARIABLE):
        return Path(named)
    return DEFAULT_PATH if DEFAULT_PATH.exists() or DEFAULT_PATH.is_symlink() else None


def load(path: Path | None, *, environ: Mapping[str, str], simulator_address: str = "127.0.0.1:8790") -> Settings:
    """The settings of the file at `path`, or of the built-in one. Raises ConfigError with every mistake in it.

    Keys are looked up in `environ`; a provider without its key is skipped and is no error. `simulator:` URLs lead
    to `simulator_address`.
    """
    source = parse(_built_in(), file=BUILT_IN) if path is None else parse(read(path), file=str(path))
    document = validate(source)
    directory = Path() if path is None else path.parent
    around = Surroundings(environ=environ, directory=directory, simulator_address=simulator_address)
    settings = build(document, around)
    return replace(settings, warnings=warned(source) + settings.warnings)


def _built_in() -> bytes:
    return resources.files(__package__).joinpath(BUILT_IN).read_bytes()
