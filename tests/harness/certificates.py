"""Certificates for tests, made by the openssl program: an authority, and what it signs for this machine."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.harness.tools import tool

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate and its private key, good for a day."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority of the test's own, whose files lie in `directory`."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self.own = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
        _openssl("req", "-x509", *CURVE, *_out(self.own), "-days", "1", "-subj", f"/CN={name}")

    @property
    def ca(self) -> Path:
        return self.own.cert

    def certificate(self, name: str, *, names: str = "DNS:localhost,IP:127.0.0.1", days: int = 1) -> Certificate:
        """One for localhost unless `names` says otherwise, fit for a server and for a client; expired where `days` is
        negative.
        """
        made = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        request, extensions = self._directory / f"{name}.csr", self._directory / f"{name}.extensions"
        _openssl("req", *CURVE, "-keyout", str(made.key), "-out", str(request), "-subj", f"/CN={name}")
        extensions.write_text(f"subjectAltName={names}\n")
        signing = ("-CA", str(self.own.cert), "-CAkey", str(self.own.key), "-CAcreateserial")
        _openssl(
            *("x509", "-req", "-in", str(request), *signing, "-out", str(made.cert), "-days", str(days)),
            *("-extfile", str(extensions)),
        )
        return made


def _out(certificate: Certificate) -> tuple[str, ...]:
    return ("-keyout", str(certificate.key), "-out", str(certificate.cert))


def _openssl(*arguments: str) -> None:
    program = tool("openssl", how="your system's package manager, as openssl")
    subprocess.run([program, *arguments], check=True, capture_output=True)
