"""What commands share that call a running router or prober: the clients, and what their errors mean for a shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from signalbox_client import (
    AdminClient,
    Client,
    DeadlineExceeded,
    HealthClient,
    Refused,
    SignalboxError,
    Unreachable,
    ViolationKind,
)
from signalbox_client.endpoint import PROBER_ADDRESS, router_address

from router_service.commands.failure import ExitCode, Failure, Objection, usage_failure
from router_service.core.addresses import prober_socket


@contextmanager
def router_client(address: str | None) -> Iterator[Client]:
    """A client for one command. An absent router is found out at once; a client's errors leave as Failures."""
    with _as_failures(f"the router at {router_address(address)}", "start one with `signalbox up` or `signalbox serve`"):
        try:
            client = Client(address, channels=1, wait_for_ready=False)
        except (ValueError, OSError) as error:
            raise usage_failure(str(error)) from error
        with client:
            yield client


@contextmanager
def admin_client(address: str | None) -> Iterator[AdminClient]:
    """The same for what only those who run a router ask of it."""
    with _as_failures(f"the router at {router_address(address)}", "start one with `signalbox up` or `signalbox serve`"):
        try:
            client = AdminClient(address, wait_for_ready=False)
        except (ValueError, OSError) as error:
            raise usage_failure(str(error)) from error
        with client:
            yield client


@contextmanager
def prober_client(address: str) -> Iterator[HealthClient]:
    """The same for the prober."""
    with _as_failures(f"the prober at {address}", "start one with `signalbox up` or `signalbox prober`"):
        try:
            client = HealthClient(address, wait_for_ready=False)
        except (ValueError, OSError) as error:
            raise usage_failure(str(error)) from error
        with client:
            yield client


def find_prober(flag: str | None, data_dir: Path, configured: str = PROBER_ADDRESS) -> str:
    """The address asked for, else the socket in the data directory where there is one, else the configured address."""
    if flag:
        return flag
    try:
        socket = prober_socket(data_dir)
        return f"unix:{socket}" if socket.is_socket() else configured
    except OSError as error:
        raise usage_failure(f"{data_dir} cannot be looked into: {error.strerror}", field="--data-dir") from error


@contextmanager
def _as_failures(whom: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except Unreachable as error:
        raise Failure(
            f"{whom} cannot be reached: {error.message}",
            ending=ExitCode.UNREACHABLE,
            code=error.code.name,
            reason="UNREACHABLE",
            advice=f"{remedy}, or name another with an address option",
        ) from error
    except SignalboxError as error:
        raise _failure(error) from error


def _failure(error: SignalboxError) -> Failure:
    fields = [v for v in error.violations if v.kind is ViolationKind.FIELD]
    return Failure(
        error.message,
        ending=ExitCode.REFUSED if isinstance(error, Refused) else ExitCode.UPSTREAM,
        code=error.code.name,
        reason=error.reason,
        request_id=error.request_id,
        objections=[Objection(field=v.subject, description=v.description) for v in fields],
        advice=_advice(error),
    )


def _advice(error: SignalboxError) -> str:
    if error.retry_after_s is not None:
        return f"trying again makes sense after {error.retry_after_s:g} s"
    match error.code:
        case grpc.StatusCode.UNAUTHENTICATED:
            return "put a key into $SIGNALBOX_API_KEY; `signalbox keys new` makes one for the configuration"
        case grpc.StatusCode.PERMISSION_DENIED:
            return "the key in $SIGNALBOX_API_KEY does not allow it; `signalbox keys new --role` makes one that does"
    if isinstance(error, DeadlineExceeded):
        return "give it more time with --timeout SECONDS"
    return ""
