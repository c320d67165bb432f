"""The image and the compose file, read as text: images cannot be built on every machine that runs the tests."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import documents
from tests.project.documents import TOP
from tests.support import image
from tests.support.postgres import OLDEST, InstalledPostgres
from upbridge import __version__
from upbridge.settings import Settings

DOCKERFILE = (TOP / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = documents.compose()["services"]
KEYS = "UPBRIDGE_ENCRYPTION_KEYS"
BASE = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)[-1]
BUILDER = image.builder_with(BASE)
OURS = [name for name, service in SERVICES.items() if "build" in service]


def _path(first: Path) -> dict[str, str]:
    """The environment of a machine that has, beside the plain tools, what lies in *first*."""
    tools = first / "tools"
    tools.mkdir()
    for name in ("sh", "bash", "sed", "git", "echo"):
        if place := shutil.which(name):
            (tools / name).symlink_to(place)
    make = Path(str(shutil.which("make")))
    (tools / "make").symlink_to(make)
    return {"PATH": f"{first}:{tools}", "HOME": str(first)}


def _json_of(instruction: str) -> list[str]:
    """The words of the last *instruction* in the Dockerfile."""
    words: list[str] = json.loads(re.findall(rf"^\s*{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])
    return words


class TestImage:
    def test_it_does_not_run_as_root_and_says_so_by_number(self) -> None:
        last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
        user = re.search(r"^USER (\d+):(\d+)$", last_stage, re.MULTILINE)

        assert user is not None
        assert f"--uid {user[1]} " in last_stage
        assert "0" not in user.groups()

    def test_it_holds_the_product_alone(self) -> None:
        assert "COPY src/upbridge src/upbridge" in DOCKERFILE
        assert "upbridge_sandbox" not in DOCKERFILE
        assert "pgserver" not in (TOP / "requirements.lock").read_text()

    def test_its_labels_name_version_and_revision(self) -> None:
        for name in ("version", "revision"):
            assert f"ARG {name.upper()}=" in DOCKERFILE
            assert f"org.opencontainers.image.{name}=${name.upper()}" in DOCKERFILE

    @pytest.mark.parametrize("builder", ["docker", "podman", "buildah"])
    def test_it_is_built_with_the_builder_that_is_there(self, builder: str, tmp_path: Path) -> None:
        """What stands in for the builder says how it was called."""
        place = tmp_path / builder
        place.write_text('#!/bin/sh\necho "$0 $*"\n')
        place.chmod(0o755)

        done = subprocess.run(
            ["make", "image"], cwd=TOP, env=_path(tmp_path), capture_output=True, text=True, check=True
        )

        # Without the word, the image of Podman and of Buildah would have no health check.
        spoken = "" if builder == "docker" else "--format docker "
        assert done.stdout.startswith(
            f"{place} build {spoken}--build-arg VERSION={__version__} --build-arg REVISION="
        )
        assert done.stdout.endswith(f"--tag upbridge:{__version__} .\n")

    def test_without_a_builder_it_says_what_to_install(self, tmp_path: Path) -> None:
        done = subprocess.run(
            ["make", "image"], cwd=TOP, env=_path(tmp_path), capture_output=True, text=True, check=False
        )

        assert done.returncode == 2
        assert "docker, podman or buildah" in done.stdout

    @pytest.mark.skipif(
        BUILDER is None or not OLDEST.exists(), reason="needs an image of Python and a Postgres here"
    )
    @pytest.mark.timeout(600)
    def test_it_is_built_and_works_read_only_without_capabilities(self) -> None:
        tag, builder, server = "upbridge:tested", str(BUILDER), InstalledPostgres(OLDEST)
        image.build(builder, tag, TOP)
        address = server.start()
        server.home.chmod(0o711)

        with image.pod(builder, tag, server.home, address) as run:
            migrated = run("migrate")
            web, worker = run("serve", detached=True), run(*SERVICES["worker"]["command"], detached=True)
            image.until_it_succeeds(builder, web, *image.health_of(builder, tag))
            image.until_it_succeeds(builder, worker, "sh", "-c", SERVICES["worker"]["healthcheck"]["test"][1])
            lines = json.loads(image.until_it_ends(builder, web, "upbridge", "doctor", "--json"))
        server.close()

        assert migrated.startswith("schema at ")
        states = {line["check"]: line["state"] for line in lines}
        assert states["database"] == states["schema"] == states["workers"] == states["encryption key"] == "ok"
        # Python's own image has 130 MB, so all in all it is under 300.
        assert image.size_of(builder, tag) - image.size_of(builder, BASE) < 160 * 1024 * 1024

    def test_every_download_is_checked_by_its_hash(self) -> None:
        installs = re.findall(r"(?:pip install|pip sync) [^&\n]*", DOCKERFILE)

        assert len(installs) == 3
        assert all("--require-hashes" in line or "--no-deps" in line for line in installs)

    def test_its_health_is_readiness(self) -> None:
        assert re.search(r"^HEALTHCHECK .*\\\n\s+CMD .*http://127\.0\.0\.1:8000/readyz", DOCKERFILE, re.MULTILINE)

    def test_it_starts_a_command_of_the_program(self) -> None:
        program, *words = [*_json_of("ENTRYPOINT"), *_json_of("CMD")]

        assert program == "upbridge"
        assert documents.command_complaint(words) is None

    def test_what_it_copies_is_not_ignored_and_is_there(self) -> None:
        sources = {
            name
            for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
            for name in line.split()[:-1]
        }
        allowed = {line[1:] for line in (TOP / ".dockerignore").read_text().splitlines() if line.startswith("!")}

        assert sources == allowed
        assert all((TOP / name).exists() for name in sources)


def _compose() -> list[str] | None:
    """Docker's own reader of compose files, where one is here; the first one does not know the key `name`."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


class TestCompose:
    @pytest.mark.skipif(_compose() is None, reason="needs docker compose")
    def test_docker_compose_takes_it_with_the_example_filled_in(self, tmp_path: Path) -> None:
        program, text = _compose() or [], (TOP / "docker-compose.yml").read_text()
        if program == ["docker-compose"]:
            text = text.replace("\nname: upbridge\n", "\n")
        (tmp_path / "docker-compose.yml").write_text(text)
        filled = (TOP / ".env.example").read_text().replace("POSTGRES_PASSWORD=", "POSTGRES_PASSWORD=x", 1)
        (tmp_path / ".env").write_text(filled)

        done = subprocess.run(
            [*program, "--profile", "backup", "config"], cwd=tmp_path, capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, done.stderr
        assert set(yaml.safe_load(done.stdout)["services"]) == SERVICES.keys()

    @pytest.mark.rule("R1")
    def test_it_has_database_migration_web_worker_and_tls(self) -> None:
        assert SERVICES.keys() == {"postgres", "migrate", "web", "worker", "backup", "caddy"}
        assert OURS == ["migrate", "web", "worker"]

    def test_a_container_that_is_made_anew_has_the_name_that_the_mails_know(self) -> None:
        """It alone can say that its disk is not full any more (`mail/operator.py`)."""
        assert {SERVICES[name].get("hostname") for name in OURS} == {"upbridge"}

    @pytest.mark.parametrize("name", OURS)
    def test_its_commands_exist(self, name: str) -> None:
        assert documents.command_complaint(SERVICES[name]["command"]) is None

    @pytest.mark.parametrize("name", ["web", "worker"])
    def test_nothing_works_before_the_schema_is_at_head(self, name: str) -> None:
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert SERVICES["migrate"]["restart"] == "no"

    @pytest.mark.parametrize("name", ["postgres", "worker", "backup"])
    def test_what_works_in_the_background_says_whether_it_is_well(self, name: str) -> None:
        asked = SERVICES[name]["healthcheck"]

        assert asked["test"][0].startswith("CMD")
        if name == "worker":
            file = SERVICES[name]["command"][SERVICES[name]["command"].index("--alive") + 1]
            assert f"find {file} " in asked["test"][1]

    def test_only_caddy_is_reachable_from_outside(self) -> None:
        assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]
        assert "reverse_proxy web:8000 {" in (TOP / "Caddyfile").read_text()

    @pytest.mark.parametrize("name", SERVICES)
    def test_each_service_may_do_what_it_needs_and_no_more(self, name: str) -> None:
        service = SERVICES[name]

        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["pids_limit"] <= 512
        assert service["mem_limit"]
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}
        assert "privileged" not in service

    def test_the_proxy_does_not_reach_the_database_nor_the_database_the_world(self) -> None:
        networks = {name: {*service["networks"]} for name, service in SERVICES.items()}

        assert networks["postgres"] == networks["migrate"] == {"data"}
        assert documents.compose()["networks"]["data"] == {"internal": True}
        assert not networks["caddy"] & networks["postgres"]
        assert networks["caddy"] & networks["web"]
        assert networks["worker"] - {"data"}, "it calls the other systems"

    def test_the_migration_is_given_no_secret_but_the_database(self) -> None:
        given = SERVICES["migrate"]

        assert given["env_file"] == []
        assert {name for name, value in given["environment"].items() if "${" in value} == {
            "UPBRIDGE_DATABASE_URL",
            "UPBRIDGE_PUBLIC_URL",
        }
        # What the settings ask for is there, so it starts.
        Settings(
            _env_file=None,
            database_url="postgresql://x@y/z",
            public_url="https://x.example",
            encryption_keys=given["environment"][KEYS],
        )

    def test_the_database_and_the_certificates_outlive_their_containers(self) -> None:
        used = {
            volume.partition(":")[0]
            for service in SERVICES.values()
            for volume in service.get("volumes", ())
            if not volume.startswith("./")
        }

        assert used == documents.compose()["volumes"].keys()

    def test_the_example_names_everything_that_has_to_be_filled_in(self) -> None:
        wanted = set(re.findall(r"\$\{(\w+):\?", (TOP / "docker-compose.yml").read_text()))
        example = dict(re.findall(r"^(\w+)=(.*)$", (TOP / ".env.example").read_text(), re.MULTILINE))

        assert wanted <= example.keys()
        assert {"UPBRIDGE_ENCRYPTION_KEYS", "UPBRIDGE_SIGNATURE_TOKEN"} <= example.keys()

    def test_the_example_shows_defaults_behind_a_hash(self) -> None:
        shown = dict(re.findall(r"^#(UPBRIDGE_\w+)=(.+)$", (TOP / ".env.example").read_text(), re.MULTILINE))

        assert {name: f"`{value}`" for name, value in shown.items()} == {
            name: documents.spelled(Settings.model_fields[name.removeprefix("UPBRIDGE_").lower()].default)
            for name in shown
        }
