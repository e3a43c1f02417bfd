"""Raw files that change, vanish or are others."""

import dataclasses
import os
from pathlib import Path

import pytest

from tests.data.test_preparation import make_config, make_lines, names
from tfrec.data import preparation, prepare
from tfrec.errors import InputError, InputWarning


@pytest.fixture
def log(tmp_path):
    """A log that was prepared, its settings, and the dataset."""
    lines = make_lines()
    config = make_config(tmp_path, lines)
    return lines, config, prepare(config)


def test_other_content_of_equal_size_is_prepared_beside(tmp_path, log):
    lines, config, old = log
    changed = [line.replace(",i3,", ",i4,") for line in lines]
    make_config(tmp_path, changed)
    with pytest.warns(
        InputWarning, match=r"log\.csv has other content of the same .* Using "
    ) as caught:
        new = prepare(config)
    assert str(new.data_dir) in str(caught[0].message)
    assert "i3" in old.vocabulary.items
    assert "i3" not in new.vocabulary.items
    # The same again opens what is there; the old log opens the old folder.
    with pytest.warns(InputWarning, match="Using"):
        assert prepare(config).data_dir == new.data_dir
    make_config(tmp_path, lines)
    assert prepare(config).data_dir == old.data_dir
    assert names(tmp_path) == [
        "log-prepared",
        new.data_dir.name,
        "log.csv",
    ]


def test_a_log_that_grew_stops_or_not_as_it_is_told(tmp_path, log):
    lines, config, old = log
    make_config(tmp_path, [*lines, "u1,i1,2000000"])
    stopping = dataclasses.replace(config, raw_changed="stop")
    pattern = r"log\.csv had [\d,]+ bytes and has .*`--raw_changed=prepare`"
    with pytest.raises(InputError, match=pattern):
        prepare(stopping)
    keeping = dataclasses.replace(config, raw_changed="keep")
    with pytest.warns(
        InputWarning, match=r"log\.csv had .* Using .*prepared\."
    ):
        assert prepare(keeping).manifest == old.manifest
    assert names(tmp_path) == ["log-prepared", "log.csv"]


def test_a_file_that_was_only_touched_is_the_same(log):
    _, config, old = log
    os.utime(config.raw_path, (1, 1))
    assert prepare(config).data_dir == old.data_dir


def test_a_raw_dir_that_is_not_there_is_an_error(tmp_path, log, monkeypatch):
    _, config, old = log
    typo = dataclasses.replace(config, raw_dir=str(tmp_path / "typo.csv"))
    with pytest.raises(InputError, match=r"`--raw_dir` .*typo\.csv, where no"):
        prepare(typo)
    monkeypatch.chdir(tmp_path)
    config.raw_path.unlink()
    unasked = dataclasses.replace(config, raw_dir="")
    assert prepare(unasked).manifest == old.manifest
    # What lies where raw files are by default is another log.
    default = Path("data/raw/csv")
    default.mkdir(parents=True)
    (default / "other.csv").write_text("sequence,item,timestamp\nu,i,1\n")
    assert unasked.raw_path == default
    assert prepare(unasked).manifest == old.manifest


def test_a_log_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    config = make_config(tmp_path, make_lines())
    write = preparation._write

    def slow(*arguments):
        manifest = write(*arguments)
        make_config(tmp_path, make_lines(21))
        return manifest

    monkeypatch.setattr(preparation, "_write", slow)
    with pytest.raises(InputError, match="changed while they were read: log"):
        prepare(config)
    assert names(tmp_path) == ["log.csv"]


def test_settings_that_came_later_have_their_default(log):
    _, config, old = log
    held = dict(old.manifest.settings)
    del held["repeat_filters"], held["rank_history"]
    dataclasses.replace(old.manifest, settings=held).save(old.data_dir)
    assert prepare(config).data_dir == old.data_dir
    other = dataclasses.replace(config, rank_history=True)
    with pytest.raises(InputError, match="rank_history=False"):
        prepare(other)
