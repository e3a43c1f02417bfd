"""The command export, as a user runs it."""

import functools

import pytest

from tests import commands
from tests.toy import toy_data
from tfrec.training import TrainingConfig, train


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    config = TrainingConfig(
        model="pop", run_dir=folder / "run", epochs=1, verbose="none"
    )
    train(toy_data(folder / "data"), config)
    return folder / "run"


export = functools.partial(commands.run, "tfrec.export")


def test_export_prints_the_signatures_and_how_to_serve(run_dir, tmp_path):
    result = export(
        f"--run_dir={run_dir}",
        f"--export_dir={tmp_path}",
        "--name=mine",
        "--k=3",
        "--version=5",
    )
    assert (result.returncode, result.stderr) == (0, "")
    table, _, advice = result.stdout.partition(" MB in ")
    assert "serving_default\n  history       string   [batch, any]" in table
    assert "  -> items      string   [batch, 3]" in table
    assert "No sample and no encode: the model has no latent." in table
    assert f"python -m tfrec.serve --export_dir={tmp_path}" in advice
    assert f"-v {tmp_path}/mine:/models/mine" in advice
    assert (tmp_path / "mine" / "5" / "saved_model.pb").exists()
    served = (tmp_path / "models.config").read_text()
    assert 'base_path: "/models/mine"' in served


def test_what_the_user_can_mend_is_one_line(run_dir, tmp_path):
    for flags, message in (
        ([f"--run_dir={run_dir}", "--k=99"], "number of items (12)"),
        ([f"--run_dir={tmp_path}"], "which has no config.json"),
        (
            [f"--run_dir={run_dir}", "--index=partitioned"],
            "`--index=partitioned` needs a model whose scores are products",
        ),
        (
            [f"--run_dir={run_dir}", "--index_recall=0.9"],
            "`--index_recall` means nothing with --index=exact. Remove it.",
        ),
        ([], "`--run_dir` must be given: folder of the run."),
    ):
        result = export(f"--export_dir={tmp_path}", *flags)
        assert result.returncode == 1
        assert result.stderr.startswith("error: ")
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
