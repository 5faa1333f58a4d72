"""What Docker and Kubernetes are given is what they accept: schemas, and that every name, path, command and option in it exists.

Nothing is built or started here, for want of a container engine; what a Job of the work pool becomes is in flows/test_on_postgres.py.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import entry_points
from io import StringIO
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from watchkeeper.adapters.workspace import find_home

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deployments"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
COMPOSE_TEXT = (FOLDER / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
OBJECTS = [document for path in sorted((FOLDER / "k8s").glob("*.yaml")) for document in yaml.safe_load_all(path.read_text())]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
KUBERNETES = ("1.30", kubernetes_validate.latest_version())
PAGE = (ROOT / "docs" / "cluster.md").read_text()
SAMPLING = (ROOT / "docs" / "sampling.md").read_text()


def program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def named(kind: str) -> dict[str, Any]:
    return {o["metadata"]["name"]: o for o in OBJECTS if o["kind"] == kind}


def job_template() -> Any:
    return json.loads(named("ConfigMap")["watchkeeper-jobs"]["data"]["base-job-template.json"])


def pods() -> dict[str, Any]:
    """Return every pod that would run, by the name of what starts it."""
    found = {name: o["spec"]["template"]["spec"] for name, o in named("Deployment").items()}
    return found | {"a flow run": job_template()["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]}


def commands() -> Iterator[list[str]]:
    yield from (s["command"] for s in COMPOSE["services"].values() if str(s["image"]).startswith("watchkeeper:"))
    yield from (c["command"] for name, pod in pods().items() for c in pod["containers"] if name != "a flow run")


def references(node: Any) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of each object that a part of a manifest needs."""
    keys = {"configMapRef": "ConfigMap", "configMap": "ConfigMap", "configMapKeyRef": "ConfigMap", "secretRef": "Secret", "secretKeyRef": "Secret"}
    if isinstance(node, dict):
        yield from ((keys[k], v["name"]) for k, v in node.items() if k in keys)
        yield from (("PersistentVolumeClaim", v["claimName"]) for k, v in node.items() if k == "persistentVolumeClaim")
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from references(part)


def test_the_dockerfile_has_no_fault_that_hadolint_knows():
    done = subprocess.run([program("hadolint"), str(FOLDER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_dockerfile_copies_is_there_and_is_sent_to_the_builder():
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]]
    assert copied
    assert set(copied) == sent
    assert all((ROOT / path).exists() for path in copied)


def test_the_image_installs_extras_that_there_are_and_the_build_files_that_it_needs():
    extras = re.search(r'"\.\[([^\]]+)\]"', DOCKERFILE)[1].split(",")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras) <= set(project["optional-dependencies"])
    assert {project["readme"], *project["license-files"]} <= set(re.findall(r"[\w.]+", re.search(r"COPY pyproject.*", DOCKERFILE)[0]))


def test_compose_accepts_the_file():
    checked = [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FOLDER / "compose.yaml")]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_key_that_compose_does_not_know_is_refused(tmp_path: Path):
    (tmp_path / "compose.yaml").write_text(COMPOSE_TEXT.replace("healthcheck: &answers", "healthchek: &answers"))
    checked = [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(tmp_path / "compose.yaml")]
    assert subprocess.run(checked, capture_output=True, check=False).returncode == 1


def test_the_names_in_the_compose_file_exist():
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        assert {v.partition(":")[0] for v in service.get("volumes", ()) if isinstance(v, str)} <= set(COMPOSE["volumes"])
    build = services["worker"]["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    assert services["worker"]["image"] == f"watchkeeper:${{WATCHKEEPER_VERSION:-{VERSION}}}"


def test_every_variable_of_the_compose_file_is_in_its_example():
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE_TEXT)) - {"WATCHKEEPER_VERSION"}
    example = (FOLDER / "compose.env.example").read_text()
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deployments/.env", "/deployments/watchkeeper.env"} <= set(ignored)


def test_what_listens_on_the_host_listens_on_loopback():
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("document", OBJECTS, ids=lambda o: f"{o['kind']}-{o['metadata']['name']}")
def test_kubernetes_accepts_every_object(document: Any, version: str):
    kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_refused():
    wrong = json.loads(json.dumps(named("Deployment")["prefect"]).replace("readOnlyRootFilesystem", "readonlyRootFilesystem"))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[0], strict=True)


def test_all_objects_live_in_the_namespace_which_comes_first():
    assert OBJECTS[0]["kind"] == "Namespace"
    assert {o["metadata"].get("namespace") for o in OBJECTS[1:]} == {OBJECTS[0]["metadata"]["name"]}


def test_what_pods_refer_to_is_there_or_is_made_by_a_command_of_the_page():
    made = {(kind.capitalize(), name) for kind, name in re.findall(r"kubectl create (secret) generic ([\w-]+)", PAGE)}
    made |= {("ConfigMap", name) for name in re.findall(r"kubectl create configmap ([\w-]+)", PAGE)}
    there = {(o["kind"], o["metadata"]["name"]) for o in OBJECTS}
    asked = {reference for pod in pods().values() for reference in references(pod)}
    assert len(asked) >= 8
    assert asked <= there | made
    for binding in named("RoleBinding").values():
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in there
        assert {(s["kind"], s["name"]) for s in binding["subjects"]} <= there


def test_services_lead_to_pods_and_ports_that_there_are():
    for service in named("Service").values():
        owner = next(o for o in named("Deployment").values() if o["spec"]["selector"]["matchLabels"] == service["spec"]["selector"])
        assert owner["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"]
        ports = {p["name"] for c in owner["spec"]["template"]["spec"]["containers"] for p in c["ports"]}
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= ports


def test_every_pod_is_nobody_writes_nowhere_else_and_has_limits():
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        volumes = {v["name"] for v in pod.get("volumes", ())}
        for container in pod["containers"]:
            confined = container["securityContext"]
            assert (confined["allowPrivilegeEscalation"], confined["readOnlyRootFilesystem"]) == (False, True), name
            assert confined["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]) & set(container["resources"]["requests"])
            assert {m["name"] for m in container["volumeMounts"]} <= volumes
            assert name == "a flow run" or "livenessProbe" in container, name


def test_no_secret_is_written_down():
    text = "\n".join(p.read_text() for p in FOLDER.rglob("*") if p.is_file())
    assert "kind: Secret" not in text
    assert not re.findall(r"(?i)^[ \w]*(?:password|secret|token)\w*: (?!\$\{)[\w-]{6,}$", text, re.MULTILINE)


def test_the_pods_and_the_compose_file_run_one_image_of_this_version():
    images = {c["image"] for pod in pods().values() for c in pod["containers"]} - {"{{ image }}"}
    assert images == {f"watchkeeper:{VERSION}"} == {job_template()["variables"]["properties"]["image"]["default"]}


@cache
def options(*words: str) -> set[str]:
    """Return the options that a command has, as its help lists them; asked of the program in this process, which spares the seconds that imports take."""
    [main] = entry_points(group="console_scripts", name=words[0])
    with redirect_stdout(StringIO()) as printed, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [*words, "--help"])
        with pytest.raises(SystemExit, match=r"^0$"):
            main.load()()
    return set(re.findall(r"--[a-z][\w-]*", printed.getvalue()))


def test_every_command_exists_with_its_options():
    seen = 0
    for command in commands():
        verb = [word for word in command if not word.startswith("-")][:3] if command[0] == "prefect" else command[:2]
        if command[0] == "python":
            assert command[:4] == ["python", "-m", "http.server", "4300"]
            continue
        assert {word for word in command if word.startswith("--")} <= options(*verb), command
        seen += 1
    assert seen >= 5


def test_the_template_of_jobs_is_prefects_own_but_for_its_defaults():
    from prefect_kubernetes.worker import KubernetesWorker

    own, prefects = job_template(), KubernetesWorker.get_default_base_job_template()
    changed = {n: p["default"] for n, p in own["variables"]["properties"].items() if p != prefects["variables"]["properties"][n]}
    assert own["variables"]["properties"].keys() == prefects["variables"]["properties"].keys()
    assert changed.keys() == {
        "namespace",
        "image",
        "finished_job_ttl",
        "service_account_name",
        "cpu_request",
        "cpu_limit",
        "memory_request",
        "memory_limit",
    }
    filled = {k: v for k, v in own["job_configuration"].items() if k != "job_manifest"}
    assert filled == {k: v for k, v in prefects["job_configuration"].items() if k != "job_manifest"}


def test_the_workspace_file_of_the_pods_is_one(tmp_path: Path):
    (tmp_path / "watchkeeper.yaml").write_text(named("ConfigMap")["watchkeeper-workspace"]["data"]["watchkeeper.yaml"])
    assert find_home(tmp_path).workspace.lake == "s3://watchkeeper/lake"


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_sampler_of_its_page_is_what_kubernetes_accepts_and_asks_for_what_there_is(version: str):
    [text] = re.findall(r"^```yaml\n(.*?)^```$", SAMPLING, re.MULTILINE | re.DOTALL)
    daemon = yaml.safe_load(text)
    kubernetes_validate.validate(daemon, version, strict=True)
    pod = daemon["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == f"watchkeeper:{VERSION}"
    assert {w for w in container["command"] if w.startswith("--")} <= options(*container["command"][:2])
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    made = {(kind.capitalize(), name) for kind, name in re.findall(r"kubectl create (secret) generic ([\w-]+)", PAGE)}
    assert set(references(pod)) <= {(o["kind"], o["metadata"]["name"]) for o in OBJECTS} | made


def test_the_unit_of_the_samplers_page_calls_a_command_with_options_that_there_are():
    [command] = re.findall(r"^ExecStart=\S+/(watchkeeper .+)$", SAMPLING, re.MULTILINE)
    verb = command.split()
    assert {w for w in verb if w.startswith("--")} <= options(*verb[:2])
