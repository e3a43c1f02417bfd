"""The files in export/, read as TensorFlow Serving and its hosts read them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config.model_server_config_pb2 import (
    ModelServerConfig,
)

from tfrec.serving import monitoring

ROOT = Path(__file__).parents[2]
EXPORT = ROOT / "export"
FIELD = descriptor_pb2.FieldDescriptorProto


@pytest.fixture(scope="module")
def messages():
    """Messages of the server that its Python package lacks.

    From session_bundle_config.proto and monitoring_config.proto.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="server.proto", syntax="proto3", dependency=["wrappers.proto"]
    )

    def add(name, *fields):
        message = file.message_type.add(name=name)
        for number, (field, kind, label, type_name) in enumerate(fields, 1):
            message.field.add(
                name=field,
                number=number,
                type=kind,
                label=label,
                type_name=type_name,
            )

    one, many = FIELD.LABEL_OPTIONAL, FIELD.LABEL_REPEATED
    wrapped = ".google.protobuf.Int64Value"
    add(
        "BatchingParameters",
        ("max_batch_size", FIELD.TYPE_MESSAGE, one, wrapped),
        ("batch_timeout_micros", FIELD.TYPE_MESSAGE, one, wrapped),
        ("max_enqueued_batches", FIELD.TYPE_MESSAGE, one, wrapped),
        ("num_batch_threads", FIELD.TYPE_MESSAGE, one, wrapped),
        (
            "thread_pool_name",
            FIELD.TYPE_MESSAGE,
            one,
            ".google.protobuf.StringValue",
        ),
        ("allowed_batch_sizes", FIELD.TYPE_INT64, many, None),
        ("pad_variable_length_inputs", FIELD.TYPE_BOOL, one, None),
    )
    add(
        "PrometheusConfig",
        ("enable", FIELD.TYPE_BOOL, one, None),
        ("path", FIELD.TYPE_STRING, one, None),
    )
    add(
        "MonitoringConfig",
        ("prometheus_config", FIELD.TYPE_MESSAGE, one, ".PrometheusConfig"),
    )
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    wrappers.name = "wrappers.proto"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(wrappers)
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(
        pool.FindMessageTypeByName(name)
    )()


def test_the_batching_parameters_are_what_the_server_accepts(messages):
    text = (EXPORT / "batching.config").read_text()
    config = text_format.Parse(text, messages("BatchingParameters"))
    sizes = list(config.allowed_batch_sizes)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == config.max_batch_size.value
    assert config.num_batch_threads.value >= 1
    assert config.pad_variable_length_inputs


def test_the_monitoring_configuration_has_the_path_of_our_server(messages):
    text = (EXPORT / "monitoring.config").read_text()
    config = text_format.Parse(text, messages("MonitoringConfig"))
    assert config.prometheus_config.enable
    assert config.prometheus_config.path == monitoring.PATH


def test_the_snippets_of_the_operations_page_are_configurations():
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```proto\n(.*?)```", text, re.DOTALL)
    assert snippets
    for snippet in snippets:
        config = text_format.Parse(snippet, ModelServerConfig())
        assert config.model_config_list.config


def test_compose_mounts_what_it_names_and_publishes_locally():
    path = EXPORT / "docker-compose.yml"
    service = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
    service = service["serving"]
    mounts = dict(v.removesuffix(":ro").split(":") for v in service["volumes"])
    mounted = set(mounts.values())
    for name in mounts:
        assert name == "./models" or (EXPORT / name).is_file()
    # Those that are commented out as well.
    named = re.findall(r"_file=(\S+)", path.read_text(encoding="utf-8"))
    served = "/models/models.config"
    assert served in named
    assert {"/models", *named} - {served} <= mounted
    assert service["ports"] == [
        "127.0.0.1:8500:8500",
        "127.0.0.1:8501:8501",
    ]


def test_kubernetes_probes_scales_and_mounts():
    text = (EXPORT / "kubernetes.yaml").read_text(encoding="utf-8")
    deployment, service, scaler = yaml.safe_load_all(text)
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    # Of no model in particular.
    assert container["readinessProbe"]["tcpSocket"] == {"port": "rest"}
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {m["name"] for m in container["volumeMounts"]} == volumes
    for argument in container["args"]:
        if argument.startswith("--model_config_file="):
            # Written where the models are.
            assert argument.endswith("=/models/models.config")
        elif "_file=" in argument:
            assert (EXPORT / Path(argument.partition("=")[2]).name).is_file()
    labels = pod["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    annotations = pod["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == monitoring.PATH
    assert annotations["prometheus.io/port"] == "8501"
    target = scaler["spec"]["scaleTargetRef"]
    assert target["name"] == deployment["metadata"]["name"]
    assert target["apiVersion"] == deployment["apiVersion"]
    assert scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]


def test_the_client_asks_a_server(server):
    result = subprocess.run(
        [
            sys.executable,
            EXPORT / "client.py",
            server.grpc_address,
            "toy",
            "item 15",
        ],
        capture_output=True,
        text=True,
    )
    assert result.stdout.splitlines() == [
        "  -0.459  item 17",
        "  -1.459  größe 19",
        "  -2.459  商品 20",
    ], result.stderr


def test_the_curl_example_asks_a_server(server):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    result = subprocess.run(
        [EXPORT / "curl.sh", server.rest_address, "toy", "item 15", "item 3"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('"predictions"') == 1
    # After the second item, the only one of the second row, and of the first.
    assert result.stdout.count('"item 5"') == 2
    assert result.stdout.count('"outputs"') == 1
    assert '"AVAILABLE"' in result.stdout
