"""What `make check` says of the files for operators: nothing of ours, and something of each kind of mistake."""

from typing import Any

import pytest
import yaml

from tests.project import deployment, documents


def test_there_is_no_complaint() -> None:
    assert list(deployment.complaints()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"restrat": "always"}, "there is no key restrat"),
        ({"networks": ["dta"]}, "no network dta"),
        ({"depends_on": {"pg": {}}}, "no service pg"),
        ({"volumes": ["databse:/data"]}, "no volume databse"),
        ({"volumes": ["./Cadyfile.x:/etc"]}, "is not there"),
    ],
)
def test_a_mistake_in_the_compose_file_is_found(changes: dict[str, Any], said: str) -> None:
    file = documents.compose()
    file["services"]["web"] |= changes

    [found] = deployment.wrong_compose(file)

    assert said in found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Restrat=always", "[Service] has no Restrat"),
        ("WantedBy=multi-user.target", "[Service] has no WantedBy"),
        ("ExecStart=/opt/upbridge/bin/upbridge server", "server"),
    ],
)
def test_a_mistake_in_a_unit_is_found(line: str, said: str) -> None:
    [found] = deployment.wrong_unit(f"[Service]\nExecStart=/opt/upbridge/bin/upbridge worker\n{line}\n")

    assert said in found


def test_a_mistake_in_a_manifest_is_found() -> None:
    items = yaml.safe_load(deployment.MANIFESTS.read_text())["items"]
    service = next(one for one in items if one["kind"] == "Service")
    job = next(one for one in items if one["kind"] == "Job")
    service["spec"]["selector"] = {"app": "upbrigde"}
    job["apiVersion"] = "batch/v1beta1"

    found = list(deployment.wrong_manifests(items))

    assert [one.partition(": ")[2].partition(": ")[2] for one in found] == [
        "no such kind in batch/v1beta1",
        "its selector finds no pod",
    ]


@pytest.mark.parametrize("text", ["server {\n", "}\n", "server {\nlisten 80\n}\n", "server {\nlisen 80;\n}\n"])
def test_a_mistake_in_the_nginx_example_is_found(text: str) -> None:
    assert list(deployment.wrong_nginx(text)) != []
