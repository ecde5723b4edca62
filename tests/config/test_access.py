"""Tenants, keys and certificates in the file: what they come to, and what is refused."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router_service.core.budget import TenantBudget
from router_service.core.settings import ProberAccess, TlsSettings
from router_service.core.tenant import Allowance, ApiKey, Role, Tenant
from tests.config.files import SMALL, load_text, mistakes_in, the_mistake_in

KEY = "sb-canary-5d0c"
DIGEST = hashlib.sha256(KEY.encode())
HASH = f"sha256:{DIGEST.hexdigest()}"
OTHER = f"sha256:{'ab' * 32}"
WEB = f'tenants: [{{name: web, keys: [{{hash: "{HASH}"}}]}}]\n'


def test_a_tenant_reaches_the_settings(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        f"""{SMALL}tenants:
  - name: web
    keys:
      - {{hash: "{HASH}", role: admin, expires: 2027-01-31}}
      - {{hash: "{OTHER.upper().replace("SHA", "sha")}"}}
    only: [alder, "tier:local"]
    requests_per_minute: 600
    tokens_per_minute: 200000
    concurrency: 50
    budget_usd_per_day: 0.5
    log_only: true
  - {{name: batch, free_only: true, content_filter_failover: true}}
  - {{name: plain}}
""",
    )
    midnight_s = datetime(2027, 1, 31, tzinfo=UTC).timestamp()
    assert settings.tenants == (
        Tenant(
            name="web",
            keys=(
                ApiKey(digest=DIGEST.digest(), role=Role.ADMIN, expires_s=midnight_s),
                ApiKey(digest=bytes.fromhex("ab" * 32)),
            ),
            only=("alder", "tier:local"),
            allowance=Allowance(requests_per_minute=600, tokens_per_minute=200_000, concurrency=50),
            is_log_only=True,
        ),
        Tenant(name="batch"),
        Tenant(name="plain"),
    )
    assert settings.routing.content_filter_failover_of == {"batch": True}
    assert settings.budgets.tenants == {
        "web": TenantBudget(daily_usd_nanos=500_000_000),
        "batch": TenantBudget(free_only=True),
    }
    assert [w.partition(": ")[2] for w in settings.warnings] == ["tenants[0].only[1]: means no target of the catalogue"]


def test_certificates_lie_beside_the_file(tmp_path: Path) -> None:
    tls = "server: {tls: {cert: router.pem, key: keys/router.key, client_ca: /etc/ca.pem}}\n"
    assert load_text(tmp_path, SMALL + tls).server.tls == TlsSettings(
        cert=tmp_path / "router.pem", key=tmp_path / "keys/router.key", client_ca=Path("/etc/ca.pem")
    )
    assert load_text(tmp_path, f"{SMALL}server: {{tls: {{cert: , key: }}}}\n").server.tls is None


def test_what_is_shown_to_a_far_prober_reaches_the_settings_and_no_page(tmp_path: Path) -> None:
    text = f"{SMALL}prober: {{access: {{ca: ca.pem, cert: r.pem, cert_key: r.key, api_key_env: PROBER_KEY}}}}\n"
    access = load_text(tmp_path, text, {"PROBER_KEY": KEY}).prober.access
    assert access == ProberAccess(
        ca=tmp_path / "ca.pem", cert=tmp_path / "r.pem", cert_key=tmp_path / "r.key", api_key=access.api_key
    )
    assert access.api_key.reveal() == KEY
    assert KEY not in repr(access)


@pytest.mark.parametrize(
    ("section", "path", "told"),
    [
        ("tenants: [{name: web}]", "tenants", "signalbox keys new"),
        ("tenants: [{name: web, keys: [{hash: sb-canary-5d0c}]}]", "tenants[0].keys[0].hash", "never the key itself"),
        (f"tenants: [{{name: web, keys: [{{hash: '{HASH}0'}}]}}]", "tenants[0].keys[0].hash", "64 hexadecimal digits"),
        (f"{WEB.strip()[:-1]}, {{name: web}}]", "tenants[1].name", "line 6"),
        (f"{WEB.strip()[:-1]}, {{name: b, keys: [{{hash: '{HASH}'}}]}}]", "tenants[1].keys[0].hash", "line 6"),
        (WEB.replace("}]}", ", role: king}]}"), "tenants[0].keys[0].role", "allowed: caller"),
        (WEB.replace("}]}", ", expires: soon}]}"), "tenants[0].keys[0].expires", "2027-01-31"),
        (WEB.replace("}]}", "}], only: [free]}"), "tenants[0].only[0]", "free_only: true"),
        (WEB.replace("}]}", "}], concurrency: 0}"), "tenants[0].concurrency", "at least 1"),
        ("server: {tls: {cert: router.pem}}", "server.tls", "belong together"),
        ("prober: {access: {cert_key: r.key}}", "prober.access", "private key of cert"),
        ("prober: {access: {cert: r.pem}}", "prober.access", "ca turns TLS on"),
    ],
)
def test_a_mistake_comes_with_a_hint(tmp_path: Path, section: str, path: str, told: str) -> None:
    line, where, _, hint = the_mistake_in(tmp_path, f"{SMALL}{section.rstrip()}\n")
    assert (line, where) == (6, path)
    assert told in hint
    assert KEY not in str(mistakes_in(tmp_path, f"{SMALL}{section.rstrip()}\n"))


TLS = "tls: {cert: a, key: b}"


@pytest.mark.parametrize(
    ("sections", "lacking"),
    [
        ("server: {address: '0.0.0.0:1'}\n", "callers are not authenticated"),
        (f"server: {{address: '0.0.0.0:1', {TLS}}}\n", "only encrypted"),
        (f"server: {{address: '0.0.0.0:1'}}\n{WEB}", "in the clear"),
        (f"server: {{{TLS}}}\nprober: {{address: '0.0.0.0:1'}}\n", "only encrypted"),
    ],
)
def test_listening_beyond_this_machine_takes_keys_and_encryption(tmp_path: Path, sections: str, lacking: str) -> None:
    _, where, message, hint = the_mistake_in(tmp_path, SMALL + sections)
    assert where in ("server.address", "prober.address")
    assert lacking in message
    assert "allow_remote: true" in hint


@pytest.mark.parametrize(
    "sections",
    [
        f"server: {{address: '0.0.0.0:1', {TLS}}}\nprober: {{address: '0.0.0.0:2'}}\n{WEB}",
        f"server: {{address: '0.0.0.0:1', {TLS[:-1]}, client_ca: c}}}}\nprober: {{address: '0.0.0.0:2'}}\n",
    ],
)
def test_a_guarded_port_may_be_reached_from_elsewhere(tmp_path: Path, sections: str) -> None:
    assert load_text(tmp_path, SMALL + sections).warnings == ()


def test_a_key_goes_to_another_machine_only_in_tls(tmp_path: Path) -> None:
    server = f"{SMALL}server: {{{TLS}}}\n{WEB}"

    def prober(access: str, more: str = "") -> str:
        return f"{server}prober: {{address: '0.0.0.0:2', {more}access: {{{access}}}}}\n"

    _, where, message, hint = the_mistake_in(tmp_path, prober("api_key_env: K"))
    assert (where, "0.0.0.0:2 in the clear" in message) == ("prober.access", True)
    assert "allow_remote: true" in hint
    assert load_text(tmp_path, prober("api_key_env: K, ca: a.pem"))
    assert load_text(tmp_path, prober("api_key_env: K", "allow_remote: true, "))
    assert load_text(tmp_path, f"{server}prober: {{access: {{api_key_env: K}}}}\n")


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]", "2852039166:80"])
def test_requests_never_go_where_clouds_keep_credentials(tmp_path: Path, host: str) -> None:
    text = SMALL.replace("api.example.com", host)
    _, where, message, _ = the_mistake_in(tmp_path, text)
    assert where == "providers[0].base_url"
    assert "credentials" in message


def test_a_variable_does_not_lead_there_either(tmp_path: Path) -> None:
    text = SMALL.replace("https://api.example.com/v1", "${BASE}/v1")
    settings = load_text(tmp_path, text, {"BASE": "http://169.254.169.254"})
    assert not settings.catalog.providers[0].is_usable
    assert any("credentials" in warning for warning in settings.warnings)
