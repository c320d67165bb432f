"""What lies in `deploy`: units, a proxy, a cluster and the backup do what docs/running.md says of them."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.project import documents
from tests.project.documents import TOP
from tests.support.backup import programs
from upbridge import __version__

DEPLOY = TOP / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFESTS: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "kubernetes/upbridge.yaml").read_text())["items"]
BACKUP = DEPLOY / "backup/backup.sh"


def settings_of(unit: Path) -> dict[str, str]:
    """The last value of each setting of a unit."""
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE))


class TestUnits:
    @pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
    def test_a_unit_runs_a_command_of_the_program_and_may_write_nothing_but_its_state(self, unit: Path) -> None:
        found = settings_of(unit)
        program, *words = found["ExecStart"].split()

        assert program == "/opt/upbridge/bin/upbridge"
        assert documents.command_complaint(words) is None
        assert found["User"] == "upbridge"
        assert found["StateDirectory"] == "upbridge"
        assert found["ProtectSystem"] == "strict"
        assert found["NoNewPrivileges"] == "yes"
        assert found["CapabilityBoundingSet"] == ""

    @pytest.mark.parametrize("unit", ["upbridge-web", "upbridge-worker@"])
    def test_what_runs_for_ever_is_started_again_and_never_given_up(self, unit: str) -> None:
        found = settings_of(DEPLOY / f"systemd/{unit}.service")

        assert found["Restart"] == "always"
        assert found["StartLimitIntervalSec"] == "0"
        assert found["MemoryMax"]

    def test_systemd_holds_the_port_that_the_proxy_calls_while_the_web_side_starts_again(self) -> None:
        held, served = (settings_of(DEPLOY / f"systemd/upbridge-web.{kind}") for kind in ("socket", "service"))

        host, _, port = held["ListenStream"].partition(":")
        assert served["ExecStart"].endswith(f" serve --host {host} --port {port}")
        assert "upbridge-web.socket" in served["Requires"]
        assert f"server {held['ListenStream']} " in TestProxy.CONFIG


class TestProxy:
    CONFIG = (DEPLOY / "nginx/upbridge.conf").read_text()

    def test_a_webhook_whose_sender_did_not_wait_is_taken(self) -> None:
        """One without an answer within a second counts as delivered (R37)."""
        place = self.CONFIG.split("location /webhooks/ {")[1].split("}")[0]

        assert "proxy_ignore_client_abort on;" in place

    def test_no_line_of_its_logs_names_a_request(self) -> None:
        """nginx names the request in errors of level `error` and below."""
        servers = self.CONFIG.split("\nserver {")[1:]

        assert len(servers) == 2
        assert all("access_log off;" in one for one in servers)
        assert all(re.search(r"error_log \S+ crit;", one) for one in servers)

    def test_what_is_for_operators_is_not_for_the_world(self) -> None:
        [hidden] = re.findall(r"location ~ (\S+) \{", self.CONFIG)

        assert re.search(hidden, "/metrics")
        assert re.search(hidden, "/readyz")
        assert not re.search(hidden, "/webhooks/upgates/x/y")


def _pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for one in MANIFESTS:
        if one["kind"] in ("Job", "Deployment"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


class TestCluster:
    @pytest.mark.parametrize("pod", [pod for _, pod in _pods()], ids=[name for name, _ in _pods()])
    def test_a_pod_is_no_root_and_writes_nowhere_but_in_its_own_place(self, pod: dict[str, Any]) -> None:
        [container] = pod["containers"]

        assert pod["securityContext"]["runAsNonRoot"] is True
        assert f"USER {pod['securityContext']['runAsUser']}:" in (TOP / "Dockerfile").read_text()
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False, "UPBRIDGE_… variables that the cluster adds are no settings"
        assert container["resources"]["limits"]["memory"]
        assert documents.command_complaint(container["args"]) is None

    def test_every_pod_runs_this_version(self) -> None:
        images = {pod["containers"][0]["image"] for _, pod in _pods()}

        assert {image.rpartition(":")[2] for image in images} == {__version__}
        [job] = [one["metadata"]["name"] for one in MANIFESTS if one["kind"] == "Job"]
        assert job.endswith(__version__.replace(".", "-"))

    def test_web_is_ready_when_a_webhook_could_be_stored_and_alive_while_it_answers(self) -> None:
        [pod] = [pod for name, pod in _pods() if name == "upbridge-web"]
        [container] = pod["containers"]

        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"

    def test_everything_that_upgates_and_browsers_reach_is_reachable_and_the_rest_is_not(self) -> None:
        [ingress] = [one for one in MANIFESTS if one["kind"] == "Ingress"]
        [rule] = ingress["spec"]["rules"]
        paths = {(one["path"], one["pathType"]) for one in rule["http"]["paths"]}

        assert {path for path, _ in paths} == {"/addon", "/webhooks", "/ui", "/livez", "/"}
        assert ("/", "Exact") in paths
        assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/enable-access-log"] == "false"

    def test_what_belongs_together_finds_each_other(self) -> None:
        by_kind = {(one["kind"], one["metadata"]["name"]): one for one in MANIFESTS}
        web = by_kind["Deployment", "upbridge-web"]["spec"]["template"]["metadata"]["labels"]

        for place in (("Service", "upbridge-web"), ("PodDisruptionBudget", "upbridge-web")):
            selector = by_kind[place]["spec"]["selector"]
            assert selector.get("matchLabels", selector).items() <= web.items()


class TestBackup:
    @pytest.fixture
    def environment(self, new_database_url: str, tmp_path: Path) -> dict[str, str]:
        parts = psycopg.conninfo.conninfo_to_dict(new_database_url)
        return {
            "PATH": f"{programs(new_database_url)}:{os.environ['PATH']}",
            "PGHOST": str(parts["host"]),
            "PGUSER": str(parts["user"]),
            "PGDATABASE": str(parts["dbname"]),
            "BACKUP_DIR": str(tmp_path),
        }

    def test_a_dump_can_be_read_and_old_ones_go(self, environment: dict[str, str], tmp_path: Path) -> None:
        old, young = tmp_path / "upbridge-old.dump", tmp_path / "upbridge-young.dump"
        old.touch()
        young.touch()
        days = 86400
        os.utime(old, (0, old.stat().st_mtime - 20 * days))

        done = subprocess.run([BACKUP, "now"], env=environment, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stderr
        [fresh] = [one for one in tmp_path.glob("*.dump") if one not in (old, young)]
        listed = subprocess.run(
            ["pg_restore", "--list", fresh], env=environment, capture_output=True, text=True, check=True
        )
        assert "TABLE public shops" in listed.stdout
        assert not old.exists()
        assert young.exists()

    def test_one_that_fails_leaves_nothing_that_looks_like_a_backup(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        done = subprocess.run(
            [BACKUP, "now"],
            env=environment | {"PGDATABASE": "missing"},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode != 0
        assert list(tmp_path.glob("*.dump")) == []
