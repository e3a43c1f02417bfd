import subprocess
import sys

from tests.commands import run
from tfrec import data


def test_the_card_is_printed(tmp_path):
    lines = [f"u{u} " + " ".join(f"i{n}" for n in range(10)) for u in range(9)]
    (tmp_path / "log.txt").write_text("\n".join(lines))
    result = run(
        "tfrec.prepare",
        "--dataset=sequences",
        f"--raw_dir={tmp_path / 'log.txt'}",
        f"--data_dir={tmp_path / 'out'}",
        "--protocol=leave_one_out",
    )
    assert (result.returncode, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["raw", "log", "90", "9", "10"] in rows
    assert ["test", "9", "81", "9"] in rows
    assert "leave_one_out, history excluded, 9 users" in result.stdout
    assert (tmp_path / "out" / "manifest.json").exists()


def test_targets_that_can_only_be_missed_are_one_warning(tmp_path):
    (tmp_path / "log.txt").write_text("u a b a b a\nv a b c d a\n")
    result = run(
        "tfrec.prepare",
        "--dataset=sequences",
        f"--raw_dir={tmp_path / 'log.txt'}",
        f"--data_dir={tmp_path / 'out'}",
    )
    assert result.returncode == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: 2 of 2 test targets (100.0%) are items of")
    assert "`--rank_history`" in line


def test_a_day_is_appended(tmp_path):
    for day in range(2):
        rows = [f"u{u},i{n},{day * 9 + n}" for u in range(4) for n in range(6)]
        text = "\n".join(["sequence,item,timestamp", *rows])
        (tmp_path / f"{day}.csv").write_text(text)
    first = data.DataConfig(
        dataset="csv",
        raw_dir=str(tmp_path / "0.csv"),
        data_dir=str(tmp_path / "first"),
        keep_log=True,
        rank_history=True,
    )
    data.prepare(first)
    (tmp_path / "0.csv").unlink()
    flags = [
        f"--raw_dir={tmp_path / '1.csv'}",
        f"--data_dir={tmp_path / 'out'}",
    ]
    result = run(
        "tfrec.prepare",
        f"--append={tmp_path / 'first'}",
        "--norank_history",
        *flags,
    )
    assert result.returncode == 1
    assert "`--rank_history` must be left out" in result.stderr
    # A variable of a script that is not set.
    result = run("tfrec.prepare", "--append=", *flags)
    assert result.returncode == 1
    assert "`--append` must be a prepared dataset" in result.stderr
    result = run("tfrec.prepare", f"--append={tmp_path / 'first'}", *flags)
    assert (result.returncode, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["raw", "log", "48", "4", "6"] in rows
    assert f"appended to {tmp_path / 'first'}" in result.stdout


def test_a_bad_line_is_one_error(tmp_path):
    (tmp_path / "ratings.dat").write_text("1::2::3::4\n1::2\n")
    result = run(
        "tfrec.prepare",
        "--dataset=ml-1m",
        f"--raw_dir={tmp_path}",
        f"--data_dir={tmp_path / 'out'}",
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "ratings.dat, line 2: expected 4 fields" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_help_lists_every_setting_without_tensorflow():
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "import runpy, sys; sys.argv = ['prepare', '--help']\n"
            "try: runpy.run_module('tfrec.prepare', run_name='__main__')\n"
            "finally: print('tensorflow' in sys.modules, file=sys.stderr)",
        ],
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "False\n")
    assert "Data settings:" in result.stdout
    assert "--truncate_before_split" in result.stdout
