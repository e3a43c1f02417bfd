"""The files that docs/scaling.md names start workers that find each other."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parents[1] / "docs"
# Prints what a worker would get.
PYTHON = """#!/bin/bash
echo "$TF_CONFIG" "$@"
"""
# Starts the task of the second machine alone.
SRUN = """#!/bin/bash
wanted="--kill-on-bad-exit=0 --wait=60 --cpus-per-task=6"
[[ "$1 $2 $3" == "$wanted" ]] || exit 2
shift 3
SLURM_PROCID=1 "$@"
exit $FAKE_CODE
"""
SCONTROL = """#!/bin/bash
if [[ "$1 $2" == "show hostnames" ]]; then printf 'gpu07\\ngpu12\\n'; fi
if [[ $1 == requeue ]]; then echo "requeued $2"; fi
"""


@pytest.fixture
def environment(tmp_path):
    """A PATH on which the cluster's programs are stand-ins."""
    for name, text in (
        ("python", PYTHON),
        ("srun", SRUN),
        ("scontrol", SCONTROL),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def output(command, environment, code=0):
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (code, "")
    config, end = json.JSONDecoder().raw_decode(result.stdout)
    return config, result.stdout[end:]


def test_kubernetes_starts_workers_that_know_each_other(environment):
    text = (DOCS / "train_kubernetes.yaml").read_text(encoding="utf-8")
    service, job = yaml.safe_load_all(text)
    name, workers = job["metadata"]["name"], job["spec"]["completions"]
    assert job["spec"]["parallelism"] == workers
    assert job["spec"]["successPolicy"] == {"rules": [{"succeededCount": 1}]}
    pod = job["spec"]["template"]["spec"]
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"] == {"job-name": name}
    (worker,) = pod["containers"]
    mounted = {mount["name"] for mount in worker["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}

    environment |= {each["name"]: each["value"] for each in worker["env"]}
    environment["JOB_COMPLETION_INDEX"] = "2"
    command = [*worker["command"], *worker["args"]]
    config, arguments = output(command, environment)
    hosts = [f"{name}-{i}.{pod['subdomain']}:2222" for i in range(workers)]
    assert config == {
        "cluster": {"worker": hosts},
        "task": {"type": "worker", "index": 2},
    }
    assert arguments.startswith(" -m tfrec.train --flagfile=/data/train.flags")


@pytest.mark.parametrize("code, requeued", [(0, False), (130, True)])
def test_slurm_starts_workers_and_requeues_what_was_stopped(
    environment, code, requeued
):
    environment |= {
        "SLURM_JOB_NODELIST": "gpu[07,12]",
        "SLURM_JOB_ID": "42",
        "SLURM_CPUS_PER_TASK": "6",
        "FAKE_CODE": str(code),
    }
    command = ["bash", str(DOCS / "train_slurm.sh"), "--seed=1", "--k=a b"]
    config, rest = output(command, environment, code)
    assert config == {
        "cluster": {"worker": ["gpu07:2222", "gpu12:2222"]},
        "task": {"type": "worker", "index": 1},
    }
    assert rest.startswith(" -m tfrec.train --seed=1 --k=a b --verbose=line\n")
    assert ("requeued 42" in rest) == requeued
