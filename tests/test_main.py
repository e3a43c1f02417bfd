"""The command `tfrec`: what it dispatches to, and how fast it may answer."""

import subprocess
import sys

import pytest

import tfrec
from tests.flagfiles import CONFIGS
from tfrec.data.datasets import DATASETS
from tfrec.models import MODELS

COMMANDS = (
    "prepare",
    "train",
    "evaluate",
    "compare",
    "tune",
    "reproduce",
    "report",
    "explore",
    "recommend",
    "export",
    "promote",
    "serve",
    "watch",
)
# What takes seconds to import.
SLOW = ("tensorflow", "keras", "duckdb", "ibis")
# Runs a command in this process and says what it has imported.
WATCH = f"""
import runpy, sys
module, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    print(*(name for name in {SLOW} if name in sys.modules), file=sys.stderr)
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True
    )


def watched(module, *flags):
    """Runs a module; asserts that nothing slow was imported.

    Returns:
        Its status, output and errors.
    """
    result = run("-c", WATCH, module, *flags)
    *errors, slow = result.stderr.split("\n")[:-1]
    assert slow == ""
    return result.returncode, result.stdout, "\n".join(errors)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_mistakes_wait_for_nothing(command):
    code, text, errors = watched(f"tfrec.{command}", "--help")
    assert (code, errors) == (0, "")
    assert f"    python -m tfrec.{command} " in text
    assert "\n  --flagfile\n" in text
    code, text, errors = watched(f"tfrec.{command}", "--no_such_thing=1")
    assert (code, text) == (1, "")
    assert errors.startswith("error: Unknown flag `--no_such_thing`.")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["train", "--epochs=0"], "`--epochs` must be at least 1"),
        (["train", "--model=acvea"], "Did you mean 'acvae'"),
        (["train", "--model=pop", "--flows=2"], "`--flows` is a setting of AC"),
        (["train", "--dropout=2"], "`--dropout` must be below 1"),
        (["train", "--dataset=ml1m"], "Did you mean 'ml-1m'"),
        (["train", "--fit_on=all", "--patience=3"], "`--patience` means noth"),
        (["train", "--dataset=csv", "--rating_above=3"], "`--rating_above` me"),
        (["prepare", "--min_item_count=0"], "`--min_item_count` must be"),
        (["evaluate"], "`--run_dir` must be given: folder of the run."),
        (["export"], "`--run_dir` must be given: folder of the run."),
        (["promote"], "`--candidate` must be given: folder of the run "),
        (
            ["promote", "--candidate=x", "--metric=auc@5"],
            "`--metric` must be recall@k, ndcg@k or mrr@k. Received: auc@5.",
        ),
        (
            ["promote", "--candidate=x", "--max_loss=0.01"],
            "`--max_loss` means nothing without --against",
        ),
        (["tune", "--model=pop"], "`--study_dir` must be given: folder of"),
        (
            ["tune", "--model=pop", "--study_dir=x"],
            "--model=pop has no setting left to search: it declares none",
        ),
        (
            ["tune", "--study_dir=x", "--fit_on=all"],
            "`--fit_on` must be train",
        ),
        (["tune", "--study_dir=x", "--notest"], "`--notest` means nothing"),
        (
            ["tune", "--study_dir=x", "--model=ease", "--search=l2"],
            "--search: 'l2' is not in the space of --model=ease: l2_weight.",
        ),
        (
            ["tune", "--model=pop", "--study_dir=x", "--search=all"],
            "--model=pop has no setting left to search: it declares none.",
        ),
        (["reproduce"], "`--of` must be given: the paper."),
        (
            ["reproduce", "--of=acvae", f"--configs={CONFIGS}"],
            "`--raw_dirs` must name the folder of a dataset of these runs: ml_",
        ),
        (["reproduce", "--of=vaser", "--configs=x"], "`--configs` must name"),
        (
            ["reproduce", "--of=vaser", "--list", "--report_only"],
            "`--report_only` means nothing with --list",
        ),
        (
            [
                "reproduce",
                "--of=vaser",
                f"--configs={CONFIGS}",
                "--raw_dirs=yoochoose_1_46=/tmp",
            ],
            "Did you mean 'yoochoose_1_4' or 'yoochoose_1_64'?",
        ),
        (
            ["reproduce", "--of=vaser", "--seeds=0,1,0"],
            "`--seeds` must be different numbers. Received: 0, 1, 0.",
        ),
        (
            [
                "reproduce",
                "--of=vaser",
                f"--configs={CONFIGS}",
                "--shorten=epochs=1,notest",
            ],
            "`--shorten` must be a comma-separated list of NAME=VALUE, flags",
        ),
        (["compare"], "`--run_dirs` must be given: folders of the runs"),
        (["compare", "a", "b", "--metric=auc"], "`--metric` must be one of"),
        (["recommend", "--k=3"], "Give one of `--history` (item ids, oldest"),
        (["recommend", "--history=a"], "Give one of `--run_dir` and"),
        (
            ["recommend", "--output=x.csv", "--server=localhost:1"],
            "Give one of `--run_dir` and `--export_dir` with `--output`, and",
        ),
        (["explore"], "Give one of `--run_dir` and `--server`."),
        (["explore", "--run_dir=x", "--name=y"], "`--name` means nothing"),
        (["report"], "`--run_dir` must be given: folder of the run."),
        (["serve", "--grpc_port=-1"], "`--grpc_port` must be at least 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_setting_waits_for_nothing(flags, message):
    code, text, errors = watched("tfrec", *flags)
    assert (code, text) == (1, "")
    assert errors.startswith("error: ")
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_what_reproduction_runs_is_listed_without_waiting(tmp_path):
    code, text, errors = watched(
        "tfrec.reproduce",
        "--of=vaser",
        "--only=figure3",
        "--list",
        f"--configs={CONFIGS}",
        f"--output_dir={tmp_path / 'out'}",
    )
    assert (code, errors) == (0, "")
    assert "\nyoochoose_1_64/stamp/ours seed 0: not run\n" in text
    assert f"--flagfile={CONFIGS / 'stamp' / 'yoochoose_1_64.flags'}" in text
    assert text.endswith("3 runs, 0 of them finished.\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments):
    code, text, errors = watched("tfrec", *arguments)
    assert (code, errors) == (0, "")
    for name in (*COMMANDS, "models", "datasets"):
        assert f"\n  {name} " in text
    assert "Trains a model on a log of interactions and measures it." in text


def test_a_command_shows_its_own_help_under_its_own_name():
    code, text, _ = watched("tfrec", "train", "--help")
    assert code == 0
    assert "    tfrec train --dataset=ml-latest-small" in text
    assert "python -m" not in text


def test_help_is_that_of_the_model_that_is_named(tmp_path):
    (tmp_path / "x.flags").write_text("--model=vaser\n--flows=2\n")
    for named in (
        ["--model=vaser"],
        ["--model", "vaser"],
        [f"--flagfile={tmp_path}/x.flags"],
        ["--model=pop", "--model=vaser"],
    ):
        _, text, _ = watched("tfrec", "train", *named, "--help")
        assert "VASER settings (" in text
        assert "encoder_units" not in text
    _, text, _ = watched("tfrec", "train", "--help")
    assert "--flows" not in text
    code, text, errors = watched("tfrec", "train", "--model=vasre", "--help")
    assert (code, text) == (1, "")
    assert "Did you mean 'vaser'" in errors


@pytest.mark.parametrize(
    ("name", "entries"),
    # As they are now: other tests add models of their own.
    [("models", dict(MODELS)), ("datasets", DATASETS)],
)
def test_a_list_has_every_entry(name, entries):
    code, text, errors = watched("tfrec", name)
    assert (code, errors) == (0, "")
    for entry in entries.values():
        assert f"{entry.name} " in text
        assert entry.summary.split()[0] in text


def test_the_version_is_that_of_the_package():
    assert run("-m", "tfrec", "--version").stdout == (
        f"tfrec {tfrec.__version__}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["trian", "--model=pop"],
            "Unknown command `trian`. Did you mean 'train'? See",
        ),
        (["--model=pop"], "Unknown command `--model=pop`."),
        (["models", "pop"], "`tfrec models` takes nothing more. Received: pop"),
    ],
)
def test_a_wrong_command_is_one_line(arguments, message):
    result = run("-m", "tfrec", *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {message}")
    assert len(result.stderr.splitlines()) == 1
