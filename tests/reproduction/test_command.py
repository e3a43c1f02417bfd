"""`tfrec reproduce`, without its trainings."""

from pathlib import Path

import pytest

from tfrec import reproduce
from tfrec.errors import InputError
from tfrec.reproduction.grid import Failure, Trial
from tfrec.reproduction.plan import Job

CONFIGS = Path(__file__).parents[2] / "configs"


def command(monkeypatch, **given):
    config = reproduce.ReproductionConfig(
        of="acvae", only=("table1",), configs=CONFIGS, **given
    )
    monkeypatch.setattr(reproduce.settings, "from_flags", lambda _: config)
    reproduce.main()


def test_every_failed_run_is_named_with_its_log(tmp_path, monkeypatch, capsys):
    failures = []
    for name in ("pop", "fpmc", "ease", "markov", "rules"):
        log = tmp_path / name
        log.write_text("".join(f"line {n} of {name}\n" for n in range(90)))
        failures.append(Failure(Trial(Job(name, "d", "a"), 0), 1, log))
    monkeypatch.setattr(reproduce, "_train", lambda *_: failures)
    with pytest.raises(InputError, match=r"^5 of 0 runs failed\. The same "):
        command(monkeypatch, output_dir=tmp_path / "out")
    shown = capsys.readouterr().err
    for failure in failures:
        assert str(failure.log) in shown
        assert f"\n  line 89 of {failure.log.name}\n" in shown
    assert (tmp_path / "out" / "report.html").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Cannot write .*`--output_dir`"):
        command(
            monkeypatch, report_only=True, output_dir=tmp_path / "file" / "x"
        )
