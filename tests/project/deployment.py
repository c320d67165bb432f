"""What lies ready for operators, read as its programs read it: compose file, units, manifests, the nginx example.

A machine with Python alone sees a key that does not exist, a name that leads nowhere, a brace without its partner.
Where `systemd-analyze` or `nginx` is installed, that program is asked as well; where not, `notes` says so.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.project import documents
from tests.project.documents import TOP

DEPLOY = TOP / "deploy"
UNITS = sorted(path for path in (DEPLOY / "systemd").iterdir() if path.suffix in {".service", ".socket"})
NGINX = DEPLOY / "nginx/upbridge.conf"
MANIFESTS = DEPLOY / "kubernetes/upbridge.yaml"
#: The program that reads each kind, and what it is for.
PROGRAMS: Mapping[str, str] = {
    "systemd-analyze": "the systemd units",
    "nginx": "the nginx example",
    "promtool": "the alert rules",
}

_SERVICE = frozenset(
    [
        "build",
        "cap_add",
        "cap_drop",
        "command",
        "depends_on",
        "entrypoint",
        "env_file",
        "environment",
        "expose",
        "healthcheck",
        "hostname",
        "image",
        "labels",
        "logging",
        "mem_limit",
        "networks",
        "pids_limit",
        "ports",
        "profiles",
        "read_only",
        "restart",
        "security_opt",
        "shm_size",
        "stop_grace_period",
        "tmpfs",
        "ulimits",
        "user",
        "volumes",
        "working_dir",
    ]
)
_UNIT: Mapping[str, frozenset[str]] = {
    "Unit": frozenset(
        ["After", "Before", "Description", "Documentation", "Requires", "StartLimitIntervalSec", "Wants"]
    ),
    "Socket": frozenset(["Backlog", "ListenStream", "TriggerLimitIntervalSec"]),
    "Service": frozenset(
        [
            "AmbientCapabilities",
            "CapabilityBoundingSet",
            "Environment",
            "EnvironmentFile",
            "ExecStart",
            "Group",
            "LimitNOFILE",
            "LockPersonality",
            "LogRateLimitBurst",
            "LogRateLimitIntervalSec",
            "MemoryMax",
            "NoNewPrivileges",
            "PrivateDevices",
            "PrivateTmp",
            "ProtectClock",
            "ProtectControlGroups",
            "ProtectHome",
            "ProtectHostname",
            "ProtectKernelLogs",
            "ProtectKernelModules",
            "ProtectKernelTunables",
            "ProtectProc",
            "ProtectSystem",
            "RemainAfterExit",
            "RemoveIPC",
            "Restart",
            "RestartSec",
            "RestrictAddressFamilies",
            "RestrictNamespaces",
            "RestrictRealtime",
            "RestrictSUIDSGID",
            "StateDirectory",
            "SystemCallArchitectures",
            "SystemCallErrorNumber",
            "SystemCallFilter",
            "TasksMax",
            "TimeoutStopSec",
            "Type",
            "UMask",
            "User",
            "WorkingDirectory",
        ]
    ),
    "Install": frozenset({"Also", "WantedBy"}),
}
#: What the cluster calls each kind, and what it cannot be without.
_KINDS: Mapping[tuple[str, str], frozenset[str]] = {
    ("batch/v1", "Job"): frozenset({"template"}),
    ("apps/v1", "Deployment"): frozenset({"selector", "template"}),
    ("v1", "Service"): frozenset({"ports", "selector"}),
    ("policy/v1", "PodDisruptionBudget"): frozenset({"selector"}),
    ("networking.k8s.io/v1", "Ingress"): frozenset({"rules"}),
}
_DIRECTIVES = frozenset(
    [
        "access_log",
        "add_header",
        "client_body_timeout",
        "client_header_timeout",
        "client_max_body_size",
        "error_log",
        "keepalive",
        "keepalive_timeout",
        "large_client_header_buffers",
        "listen",
        "proxy_connect_timeout",
        "proxy_http_version",
        "proxy_ignore_client_abort",
        "proxy_pass",
        "proxy_read_timeout",
        "proxy_set_header",
        "return",
        "server",
        "server_name",
        "server_tokens",
        "ssl_certificate",
        "ssl_certificate_key",
        "ssl_protocols",
    ]
)
_BLOCKS = frozenset({"location", "server", "upstream"})


def complaints() -> Iterator[str]:
    """One line for each thing that its program would refuse."""
    yield from wrong_compose(documents.compose())
    for unit in UNITS:
        yield from (f"{unit.name}: {wrong}" for wrong in wrong_unit(unit.read_text()))
    yield from wrong_manifests(yaml.safe_load(MANIFESTS.read_text())["items"])
    yield from (f"{NGINX.name}: {wrong}" for wrong in wrong_nginx(NGINX.read_text()))
    if shutil.which("systemd-analyze"):
        yield from refused_units()
    if shutil.which("nginx"):
        yield from refused_nginx()


def notes() -> Iterator[str]:
    """One line for each program that is not here to be asked."""
    for name, what in PROGRAMS.items():
        if shutil.which(name) is None:
            yield f"note: {name} is not installed, so {what} were read by Python alone"


def wrong_compose(file: Mapping[str, Any]) -> Iterator[str]:
    """Keys that compose does not know, and names of services, networks and volumes that lead nowhere."""
    services: Mapping[str, Any] = file["services"]
    for name, one in services.items():
        yield from (f"compose: {name}: there is no key {key}" for key in sorted(one.keys() - _SERVICE))
        if not one.keys() & {"image", "build"}:
            yield f"compose: {name}: neither image nor build"
        yield from (
            f"compose: {name}: no service {other}" for other in one.get("depends_on", ()) if other not in services
        )
        yield from (
            f"compose: {name}: no network {other}"
            for other in one.get("networks", ())
            if other not in file["networks"]
        )
        for volume in one.get("volumes", ()):
            source = str(volume).partition(":")[0]
            if source[0] not in "./" and source not in file["volumes"]:
                yield f"compose: {name}: no volume {source}"
            if source.startswith("./") and "." in Path(source).name and not (TOP / source).exists():
                yield f"compose: {name}: {source} is not there"


def wrong_unit(text: str) -> Iterator[str]:
    """Sections and settings that systemd does not know, and commands that the program does not have."""
    section = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        name, equals, value = line.partition("=")
        if not equals or name not in _UNIT.get(section, ()):
            yield f"[{section}] has no {name}"
        if name == "ExecStart" and (wrong := documents.command_complaint(value.split()[1:])) is not None:
            yield wrong
    if "ExecStart=" not in text and "ListenStream=" not in text:
        yield "nothing is started"


def wrong_manifests(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Kinds and versions that a cluster does not know, what is missing, and selectors that find no pod."""
    everything = list(items)
    pods = [one["spec"]["template"] for one in everything if "template" in one.get("spec", ())]
    labels = [pod["metadata"]["labels"] for pod in pods if "metadata" in pod]
    for one in everything:
        name = f"{one.get('kind')} {one.get('metadata', {}).get('name')}"
        needed = _KINDS.get((one.get("apiVersion", ""), one.get("kind", "")))
        if needed is None:
            yield f"manifest: {name}: no such kind in {one.get('apiVersion')}"
            continue
        yield from (f"manifest: {name}: no {key}" for key in sorted(needed - one["spec"].keys()))
        wanted = one["spec"].get("selector", {})
        wanted = wanted.get("matchLabels", wanted)
        if wanted and not any(wanted.items() <= found.items() for found in labels):
            yield f"manifest: {name}: its selector finds no pod"
    for pod in pods:
        for container in pod["spec"]["containers"]:
            if (wrong := documents.command_complaint(container["args"])) is not None:
                yield f"manifest: {container['name']}: {wrong}"


def wrong_nginx(text: str) -> Iterator[str]:
    """Directives that nginx does not know, statements without an end, braces without a partner."""
    depth = 0
    for number, written in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*", "", written).strip()
        if not line:
            continue
        depth += line.count("{") - line.count("}")
        if depth < 0:
            yield f"line {number}: a brace too many"
        word = line.split()[0]
        known = _BLOCKS if line.endswith("{") else _DIRECTIVES
        if line != "}" and (word not in known or line[-1] not in "{;"):
            yield f"line {number}: nginx does not know {line!r}"
    if depth:
        yield "a block does not end"


def refused_units() -> Iterator[str]:
    """What systemd says of the units."""
    with tempfile.TemporaryDirectory() as name:
        for unit in UNITS:
            text = unit.read_text().replace("/opt/upbridge/bin/upbridge", "/bin/true")
            (Path(name) / unit.name.replace("@", "@1")).write_text(text)
        files = map(str, Path(name).iterdir())
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
        )
    yield from (f"systemd-analyze: {line}" for line in done.stderr.splitlines() if "upbridge" in line)


def refused_nginx() -> Iterator[str]:
    """What nginx says of its example, without the certificate: that is the operator's."""
    site = re.sub(r"\n\s*ssl_\w+ [^;]+;", "", NGINX.read_text()).replace(" ssl http2;", ";")
    with tempfile.TemporaryDirectory() as name:
        site = site.replace("/var/log/nginx", name)
        (Path(name) / "nginx.conf").write_text(
            f"pid {name}/pid; error_log stderr; events {{}} http {{ access_log off; {site} }}"
        )
        done = subprocess.run(
            ["nginx", "-t", "-c", f"{name}/nginx.conf"], capture_output=True, text=True, check=False
        )
    if done.returncode:
        yield f"nginx: {done.stderr.strip()}"
