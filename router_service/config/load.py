"""Finds the configuration file and loads it: read, validate, build."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib import resources
from pathlib import Path

from router_service.config.build import build
from router_service.config.overlay import laid_over
from router_service.config.source import Source, parse, read
from router_service.config.surroundings import Surroundings
from router_service.config.validate import validate
from router_service.core.decision.strategies import BUILT_IN, Known
from router_service.core.settings import Settings

PATH_VARIABLE = "SIGNALBOX_CONFIG"
DEFAULT_PATH = Path("signalbox.yaml")
SHIPPED = "catalog.yaml"
SIMULATED = "simulated.yaml"
SIMULATOR_ADDRESS = "127.0.0.1:8790"


def find(flag: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file to load: `--config`, else $SIGNALBOX_CONFIG, else ./signalbox.yaml; None stands for the shipped one.

    A file that was named need not exist; loading it says so. A dangling link counts as a file, because whoever
    made it does not expect the shipped providers.
    """
    if named := flag or environ.get(PATH_VARIABLE):
        return Path(named)
    return DEFAULT_PATH if DEFAULT_PATH.exists() or DEFAULT_PATH.is_symlink() else None


def simulated() -> Path:
    """The file with three simulated providers, which need no key."""
    return Path(str(resources.files(__package__).joinpath(SIMULATED)))


def load(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    today: date,
    simulator_address: str = SIMULATOR_ADDRESS,
    shipped: bytes | None = None,
    strategies: Known = BUILT_IN,
) -> Settings:
    """The settings of the file at `path`, or of the shipped one. Raises ConfigError with every mistake in it.

    Keys are looked up in `environ` and in the files that hold them, anew with every call; a provider without its key
    is skipped and is no error. `today` decides which models have retired. `simulator:` URLs lead to
    `simulator_address`. `shipped` is what stands for the shipped file, where it is not that of this package.
    `strategies` are those that the file may name.
    """
    source = source_of(path, shipped)
    around = Surroundings(
        environ=environ,
        directory=directory_of(path),
        simulator_address=simulator_address,
        today=today,
        strategies=strategies,
    )
    return build(validate(source, strategies), source, around)


def source_of(path: Path | None, shipped: bytes | None = None) -> Source:
    """The file's content, laid over the shipped one where it asks for that."""
    if path is None:
        return _shipped(shipped)
    own = parse(read(path), file=str(path))
    extends = own.data.get("extends") if isinstance(own.data, dict) else None
    return laid_over(_shipped(shipped), own) if extends == "shipped" else own


def directory_of(path: Path | None) -> Path:
    """Where relative paths in the file start from."""
    return Path() if path is None else path.parent


def watched(path: Path | None, settings: Settings) -> tuple[Path, ...]:
    """The files that `settings` were made of and that may change: the configuration's and the keys'."""
    directory = directory_of(path)
    keys = [directory / provider.key_file for provider in settings.catalog.providers if provider.key_file]
    return tuple(dict.fromkeys([*([] if path is None else [path]), *keys]))


def _shipped(content: bytes | None) -> Source:
    packaged = resources.files(__package__).joinpath(SHIPPED)
    return parse(packaged.read_bytes() if content is None else content, file=SHIPPED)
