"""What a router shows to its prober, and where it shows nothing at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_service.core.catalog import Secret
from router_service.core.settings import ProberAccess
from router_service.rpc.proof import KeyInTheClear, Proof, proof_for
from router_service.rpc.tls import BadCertificate
from tests.harness.certificates import Authority

KEY = "sb-canary-5d0c"
KEYED = ProberAccess(api_key=Secret(_value=KEY))
BEARER = (("authorization", f"Bearer {KEY}"),)


@pytest.mark.parametrize("address", ["10.0.0.7:50052", "prober.example:50052", "[2001:db8::1]:50052", "0.0.0.0:50052"])
def test_a_key_does_not_leave_this_machine_in_the_clear(address: str) -> None:
    with pytest.raises(KeyInTheClear, match=r"prober\.access\.ca") as caught:
        proof_for(KEYED, address, allow_remote=False)
    assert address in str(caught.value)
    assert KEY not in str(caught.value)
    assert proof_for(KEYED, address, allow_remote=True) == Proof(metadata=BEARER)
    assert proof_for(ProberAccess(), address, allow_remote=False) == Proof()


@pytest.mark.parametrize("address", ["127.0.0.1:50052", "localhost:50052", "[::1]:50052"])
def test_on_this_machine_it_may(address: str) -> None:
    assert proof_for(KEYED, address, allow_remote=False) == Proof(metadata=BEARER)


def test_a_socket_is_shown_nothing() -> None:
    assert proof_for(KEYED, "unix:/run/prober.sock", allow_remote=False) == Proof()


def test_in_tls_a_key_goes_anywhere(tmp_path: Path) -> None:
    access = ProberAccess(ca=Authority(tmp_path).ca, api_key=Secret(_value=KEY))
    proof = proof_for(access, "10.0.0.7:50052", allow_remote=False)
    assert proof.credentials is not None
    assert proof.metadata == BEARER
    with pytest.raises(BadCertificate, match=r"prober\.access\.ca"):
        proof_for(ProberAccess(ca=tmp_path / "none"), "10.0.0.7:50052", allow_remote=False)
