"""Who may import whom: the table of the architecture as data, held against every import in every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"router_service": "router_service", "prober": "prober", "clients/python": "clients"}

ALL = frozenset({"*"})
CODECS = frozenset({"dialect", "openai", "openai_errors", "retry_after", "sse"})
PROTOCOLS = {"providers": frozenset({"dialect", "transport"}), "store": frozenset({"ports"})}
WIRE = frozenset({"wire", "wire_limits", "wire_report", "wire_windows"})
STUBS = "stubs"

# A row may import the parts that are named: all of their modules, or only those listed.
TABLE: Mapping[str, Mapping[str, frozenset[str]]] = {
    "core": {},
    "files": {},
    "config": {"core": ALL, "files": ALL},
    "registry": {"core": ALL},
    "telemetry": {"core": ALL},
    "store": {"core": ALL, "telemetry": ALL},
    "providers": {"core": ALL, "telemetry": ALL},
    "simulator": {"core": ALL, "files": ALL},
    "rpc": {"core": ALL, "files": ALL, "telemetry": ALL, STUBS: ALL},
    "health": {"core": ALL, "rpc": ALL, "telemetry": ALL, STUBS: ALL},
    "analytics": {"core": ALL, "store": PROTOCOLS["store"], "telemetry": ALL},
    "service": {"core": ALL, **PROTOCOLS, "health": frozenset({"board"}), "telemetry": ALL},
    "edge": {"core": ALL, "analytics": ALL, "rpc": ALL, "service": ALL, "telemetry": ALL, STUBS: ALL},
    "prober": {
        "core": ALL,
        "config": ALL,
        "providers": CODECS,
        "store": frozenset({"lease", "ports", "quota", "sqlite", "terms"}),
        "health": WIRE,
        "registry": ALL,
        "rpc": ALL,
        "telemetry": ALL,
        STUBS: ALL,
    },
    "clients": {STUBS: ALL},
}
COMPOSITION = frozenset({"__main__", "main", "engine", "port", "cli", "commands", "interrupt", "supervisor", "drain"})
"""These may import everything but the prober, and nobody imports them."""

# Wire messages stop here.
STUB_PLACES = (
    "router_service/edge/*.py",
    "router_service/health/wire.py",
    "router_service/health/wire_report.py",
    "router_service/health/wire_windows.py",
    "router_service/health/channel.py",
    "router_service/port.py",
    "router_service/commands/*.py",
    "router_service/commands/demo/*.py",
    "router_service/commands/grammar/*.py",
    "prober/publish.py",
    "prober/main.py",
    "clients/python/signalbox_client/*.py",
)
# Libraries with one home.
CONFINED = {
    "aiohttp": ("router_service/providers/*.py",),
    "httpx": ("prober/exchange.py",),
    "sqlite3": ("router_service/store/*.py",),
    "aiosqlite": ("router_service/store/*.py",),
    "pydantic": ("router_service/config/*.py",),
    "pydantic_core": ("router_service/config/*.py",),
    "yaml": ("router_service/config/*.py",),
}
# What core may not have of the standard library, since it neither waits nor reads a clock nor does input or output.
IMPURE = frozenset(
    {"asyncio", "concurrent", "http", "io", "logging", "multiprocessing", "os", "secrets", "selectors", "signal"}
    | {"socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib"}
)


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` imports, or does, against the table."""
    tree = ast.parse(source)
    found = [
        f"{path}:{line}: {name}: {why}"
        for line, name in _imports(path, tree)
        if (why := _forbidden(path, name.split(".")))
    ]
    if _row(path) == "core":
        waits = (
            n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
        )
        found += [f"{path}:{node.lineno}: core never waits" for node in waits]
    return found


def _imports(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that is imported anywhere in a file, in full."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = ".".join(filter(None, [_package(path, level), module]))
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in names)
            case ast.Call(func=ast.Name(id="__import__" | "import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield node.lineno, name


def _package(path: str, level: int) -> str:
    """The package that a relative import of `level` dots starts from."""
    directories = PurePosixPath(path).parent.parts
    return ".".join(directories[: len(directories) - level + 1]) if level else ""


def _row(path: str) -> str:
    """The row of the table that a file belongs to."""
    first, *rest = PurePosixPath(path).parts
    return rest[0].removesuffix(".py") if first == "router_service" else first


def _forbidden(path: str, name: list[str]) -> str:
    """Why the file may not import the name, or nothing where it may."""
    row, (root, *rest) = _row(path), name
    match root:
        case "router_service":
            return _forbidden_part(row, rest)
        case "signalbox":
            return (
                ""
                if _is_at(path, STUB_PLACES) and (row in COMPOSITION or STUBS in TABLE[row])
                else "no wire messages here"
            )
        case "prober":
            return "" if row == "prober" else "only the prober's own files import the prober"
        case "signalbox_client":
            return "" if row in COMPOSITION | {"clients"} else "a client is for callers"
        case "tests" | "benchmarks":
            return "the product does not rest on its tests"
    if places := CONFINED.get(root):
        return "" if _is_at(path, places) else f"has its home in {', '.join(places)}"
    if row == "core" and (root not in sys.stdlib_module_names or root in IMPURE):
        return "core has the pure part of the standard library and nothing else"
    return ""


def _forbidden_part(row: str, name: list[str]) -> str:
    part, module = (*name, "", "")[:2]
    if row == "clients":
        return "a client has nothing of ours but the stubs"
    if part == row or row in COMPOSITION:
        return ""
    if part not in TABLE:
        return "is not in the table"
    allowed = TABLE[row].get(part)
    if allowed is None:
        return f"{row} may not import {part}"
    return (
        "" if "*" in allowed or module in allowed else f"{row} may import of {part} only {', '.join(sorted(allowed))}"
    )


def _is_at(path: str, places: tuple[str, ...]) -> bool:
    return any(PurePosixPath(path).match(place) for place in places)


FILES = sorted(
    path.relative_to(ROOT).as_posix() for source in SOURCES for path in (ROOT / source).rglob("*.py") if path.is_file()
)


@pytest.mark.parametrize("path", FILES)
def test_imports_are_allowed_by_the_table(path: str) -> None:
    assert violations(path, (ROOT / path).read_text()) == []


def test_every_package_and_module_is_listed() -> None:
    rows = {_row(path) for path in FILES} - {"__init__"}
    assert rows <= set(TABLE) | COMPOSITION, "a new part gets a row of its own"


@pytest.mark.parametrize(
    ("path", "source", "why"),
    [
        ("router_service/core/x.py", "import msgspec", "core has the pure part"),
        ("router_service/core/x.py", "import asyncio", "core has the pure part"),
        ("router_service/core/x.py", "from os import path", "core has the pure part"),
        ("router_service/core/x.py", "from router_service.rpc import call", "core may not import rpc"),
        ("router_service/core/x.py", "from router_service import rpc", "core may not import rpc"),
        ("router_service/core/x.py", "import router_service.rpc.call", "core may not import rpc"),
        ("router_service/core/x.py", "from ..rpc import call", "core may not import rpc"),
        ("router_service/core/x.py", "from .. import rpc", "core may not import rpc"),
        (
            "router_service/core/x.py",
            "def f():\n    if True:\n        import router_service.rpc",
            "core may not import rpc",
        ),
        ("router_service/core/x.py", "async def f(): pass", "core never waits"),
        ("router_service/core/x.py", "import router_service", "is not in the table"),
        ("router_service/core/x.py", "from router_service.new import x", "is not in the table"),
        (
            "router_service/rpc/x.py",
            "import importlib\nimportlib.import_module('prober.main')",
            "only the prober's own",
        ),
        ("router_service/rpc/x.py", "__import__('router_service.edge.requests')", "rpc may not import edge"),
        ("router_service/rpc/x.py", "from signalbox.v1 import router_pb2", "no wire messages here"),
        ("router_service/service/x.py", "from signalbox.v1 import router_pb2", "no wire messages here"),
        (
            "router_service/service/x.py",
            "from router_service.providers.openai import OpenAIDialect",
            "only dialect, transport",
        ),
        ("router_service/service/x.py", "from router_service.health.wire import snapshot", "only board"),
        ("router_service/edge/x.py", "from router_service.main import serve", "is not in the table"),
        ("router_service/edge/x.py", "from router_service.providers import dialect", "edge may not import providers"),
        ("router_service/edge/x.py", "import aiohttp.web", "has its home in"),
        ("router_service/edge/x.py", "import signalbox_client", "a client is for callers"),
        ("router_service/providers/x.py", "import httpx", "has its home in"),
        ("router_service/service/x.py", "import sqlite3", "has its home in"),
        ("router_service/main.py", "import prober.main", "only the prober's own"),
        ("router_service/main.py", "from tests.harness import processes", "does not rest on its tests"),
        (
            "router_service/simulator/x.py",
            "from router_service.providers.sse import EventSplitter",
            "may not import providers",
        ),
        ("prober/x.py", "from router_service.health.board import HealthBoard", "only wire"),
        ("prober/x.py", "from router_service.service.router import Router", "prober may not import service"),
        ("prober/x.py", "from router_service.edge import requests", "prober may not import edge"),
        ("prober/x.py", "import httpx", "has its home in"),
        (
            "clients/python/signalbox_client/x.py",
            "from router_service.core import chat",
            "nothing of ours but the stubs",
        ),
    ],
)
def test_checker_finds(path: str, source: str, why: str) -> None:
    (found,) = violations(path, source)
    assert found.startswith(f"{path}:{source.count(chr(10)) + 1}: ")
    assert why in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("router_service/core/x.py", "import math\nfrom router_service.core.chat import Role\nfrom .plan import plan"),
        ("router_service/service/x.py", "from router_service.providers.dialect import Dialect"),
        ("router_service/service/x.py", "from router_service.providers import transport"),
        (
            "router_service/edge/x.py",
            "from signalbox.v1 import router_pb2\nfrom router_service.service.router import Router",
        ),
        ("router_service/providers/x.py", "import aiohttp\nfrom aiohttp.resolver import AsyncResolver"),
        (
            "router_service/port.py",
            "from router_service.edge import requests\nfrom signalbox.v1 import router_pb2_grpc",
        ),
        ("prober/exchange.py", "import httpx\nfrom prober.merge import Merge"),
        ("prober/x.py", "from router_service.health import wire\nfrom router_service import config"),
        (
            "clients/python/signalbox_client/x.py",
            "from signalbox.v1 import chat_pb2\nfrom signalbox_client import errors",
        ),
    ],
)
def test_checker_lets_pass(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_prober_loads_nothing_of_the_routers_own() -> None:
    program = "import prober.main, sys; print(*sorted(m for m in sys.modules if m.startswith('router_service.')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name.split(".")[1] for name in done.stdout.split()}
    assert loaded, "the prober rests on core at least"
    assert loaded.isdisjoint(
        {"edge", "service", "analytics", "simulator", "main", "cli", "commands", "supervisor", "drain"}
    )


@pytest.mark.parametrize(("name", "home"), [("NANOS_PER_USD", "core/prices.py"), ("MIB", "core/settings.py")])
def test_a_measure_is_defined_once(name: str, home: str) -> None:
    places = [
        str(path.relative_to(ROOT))
        for folder in SOURCES
        for path in sorted((ROOT / folder).rglob("*.py"))
        if any(line.startswith((f"{name} =", f"_{name} =")) for line in path.read_text().splitlines())
    ]
    assert places == [f"router_service/{home}"]
