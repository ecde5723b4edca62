"""Generates the Python stubs of the contract, or checks that they are current, or lints it; nothing needs a network.

`python protos/generate.py` writes protos/gen. With `--check` it writes nothing and exits 1 when protos/gen is not what
the protos say; with `--lint` it runs buf's lint; with `--image FILE` it writes a FileDescriptorSet with its comments.
The plugins are those of the interpreter that runs it.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
GENERATED = PROTOS / "gen"
PACKAGES = {
    "signalbox": "The contract's own package; everything is in its versions.",
    "signalbox/v1": "Version 1 of the contract: messages and gRPC stubs, generated from protos/signalbox/v1.",
}


class ToolFailedError(Exception):
    """A compiler or linter said no; its own words are the message."""


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line asks for. Returns 0 when all is well, 1 when the protos or the stubs are not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; exit 1 when protos/gen is not current")
    mode.add_argument("--lint", action="store_true", help="run buf's lint")
    mode.add_argument("--image", type=Path, metavar="FILE", help="write a FileDescriptorSet with comments and imports")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            return check()
        if options.lint:
            return lint()
        if options.image:
            return write_image(options.image)
        return write()
    except ToolFailedError as error:
        print(error, file=sys.stderr)
        return 1


def write() -> int:
    """Makes protos/gen what the protos say: writes what differs and deletes what does not belong there."""
    wanted, present = _wanted(), _present()
    for name in sorted(present.keys() - wanted.keys()):
        (GENERATED / name).unlink()
    for name, content in wanted.items():
        if present.get(name) != content:
            target = GENERATED / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
    return 0


def check() -> int:
    """Compares protos/gen with what the protos say, and prints one line for each file that differs."""
    wanted, present = _wanted(), _present()
    differences = [
        f"protos/gen/{name}: {_difference(present.get(name), wanted.get(name))}"
        for name in sorted(wanted.keys() | present.keys())
        if wanted.get(name) != present.get(name)
    ]
    if not differences:
        return 0
    print("\n".join([*differences, "The stubs are stale: run `python protos/generate.py`."]), file=sys.stderr)
    return 1


def lint() -> int:
    """Runs buf's lint by the rules of buf.yaml over an image, which holds the imports that buf would have to fetch."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        write_image(image)
        _run([_script("buf"), "lint", str(image), "--config", str(PROTOS / "buf.yaml")])
    return 0


def write_image(path: Path) -> int:
    """Writes the contract and its imports to `path` as a FileDescriptorSet with source positions and comments."""
    _protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={path.resolve()}", *_sources())
    return 0


def _wanted() -> dict[str, str]:
    """The contents of protos/gen as the protos say, by path."""
    with tempfile.TemporaryDirectory() as folder:
        plugins = [f"--plugin={name}={_script(name)}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
        _protoc(*plugins, f"--python_out={folder}", f"--mypy_out={folder}", *_sources())
        # A servicer may leave methods to the generated base, which answers UNIMPLEMENTED; so they are not abstract.
        typed = f"--mypy_grpc_out=generate_concrete_servicer_stubs:{folder}"
        _protoc(*plugins, f"--grpc_python_out={folder}", typed, *_sources(with_service=True))
        files = _contents(Path(folder))
    files |= {f"{package}/__init__.py": f'"""{docstring}"""\n' for package, docstring in PACKAGES.items()}
    return files | {"signalbox/py.typed": ""}


def _present() -> dict[str, str]:
    """The contents of protos/gen as they are, by path."""
    return _contents(GENERATED)


def _contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def _difference(present: str | None, wanted: str | None) -> str:
    if present is None:
        return "is missing"
    if wanted is None:
        return "does not belong there"
    lines = list(difflib.unified_diff(present.splitlines(), wanted.splitlines(), n=0))[2:]
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return f"lacks {added} lines and has {removed} too many"


def _sources(*, with_service: bool = False) -> list[str]:
    """The protos by their import names; with `with_service` only those that define a service."""
    paths = sorted(PROTOS.glob("signalbox/*/*.proto"))
    chosen = [path for path in paths if not with_service or "\nservice " in path.read_text(encoding="utf-8")]
    return [path.relative_to(PROTOS).as_posix() for path in chosen]


def _protoc(*arguments: str) -> None:
    """Runs the compiler of grpcio-tools, which brings google/protobuf along; google/rpc comes from its own package."""
    include = [f"--proto_path={PROTOS}", f"--proto_path={_googleapis()}"]
    _run([sys.executable, "-m", "grpc_tools.protoc", *include, *arguments])


def _googleapis() -> Path:
    """The folder under which googleapis-common-protos installed google/rpc/status.proto."""
    spec = find_spec("google.rpc")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "status.proto").is_file():
            return Path(folder).parent.parent
    raise ToolFailedError("google/rpc/status.proto is missing: install googleapis-common-protos")


def _script(name: str) -> str:
    """The path of a program that a package installed for this interpreter."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.is_file():
        raise ToolFailedError(f"{path} is missing: install the requirements for development")
    return str(path)


def _run(command: list[str]) -> None:
    """Runs a tool to its end; raises ToolFailedError with its output when it fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROTOS)
    if result.returncode:
        raise ToolFailedError((result.stdout + result.stderr).strip())


if __name__ == "__main__":
    sys.exit(main())
