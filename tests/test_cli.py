import signal
import subprocess
import sys

import pytest

SCRIPT = '''
"""A command for tests.

It has a second paragraph.
"""
import dataclasses
import sys
import time
import warnings
from tfrec import cli, settings
from tfrec.errors import InputError, InputWarning

@dataclasses.dataclass(frozen=True)
class SmallConfig(settings.Settings):
    size: int = settings.setting(3, "How large it is.", minimum=1)
    loud: bool = settings.setting(False, "Whether it is loud.")
    place: str = settings.setting("", "Where it is. Empty: here.")

def main():
    config = settings.from_flags(SmallConfig)
    if config.place == "wrong":
        raise InputError("There is nothing at `--place`.")
    if config.place == "bug":
        raise ZeroDivisionError("a bug")
    if config.place == "old":
        warnings.warn("This is old.", FutureWarning)
        warnings.warn("Look there.", InputWarning)
    if config.place == "wait":
        print("waiting", flush=True)
        time.sleep(30)
    print("size", config.size, "loud", config.loud)
    for _ in range(100_000 if config.place == "long" else 0):
        print("a line")

cli.run(main, SmallConfig)
'''


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "command.py"
    path.write_text(SCRIPT)
    return str(path)


def run(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True
    )


def test_warnings_of_libraries_name_their_place_and_end_nothing(script):
    result = run(script, "--place=old")
    assert (result.returncode, result.stdout) == (0, "size 3 loud False\n")
    first, _, last = result.stderr.splitlines()
    assert first.endswith("FutureWarning: This is old.")
    assert last == "warning: Look there."


def test_flags_reach_the_command(script):
    result = run(script, "--size=5", "--loud")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "size 5 loud True\n"


def test_flags_may_stand_in_a_file(script, tmp_path):
    path = tmp_path / "x.flags"
    path.write_text("# A comment.\n--size=7\n--noloud\n")
    result = run(script, f"--flagfile={path}")
    assert result.stdout == "size 7 loud False\n"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--place=wrong", "There is nothing at `--place`."),
        ("--size=0", "`--size` must be at least 1. Received: 0."),
        ("--sise=4", "Unknown flag `--sise`. Did you mean 'size'?"),
        ("--size=big", "`--size` must be an integer. Received: 'big'."),
        ("--size", "Missing value for flag --size"),
        ("--loud=maybe", "`--loud` must be true or false. Received: 'maybe'."),
        ("--noloud=1", "--noloud=1 does not take an argument"),
        ("--flagfile=none", "`--flagfile` must name a file of flags that can"),
        ("ml-1m", "Unexpected argument 'ml-1m'"),
    ],
)
def test_what_the_user_can_mend_is_one_line(script, argument, message):
    result = run(script, argument)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {message}")
    assert len(result.stderr.splitlines()) == 1


def test_a_bug_shows_its_trace(script):
    result = run(script, "--place=bug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: a bug" in result.stderr


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_the_description_and_every_flag(script, flag):
    result = run(script, flag)
    assert (result.returncode, result.stderr) == (0, "")
    text = result.stdout
    assert text.startswith("A command for tests.\n\nIt has a second")
    assert "\n\nSmall settings:\n\n" in text
    assert "  --size\n      How large it is. Default: 3." in text
    assert "  --[no]loud\n" in text
    assert "Where it is. Empty: here.\n" in text
    assert "--flagfile" in text
    assert "--alsologtostderr" not in text


def test_help_does_not_need_the_rest_to_be_right(script):
    result = run(script, "--size=big", "--no_such=1", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Small settings:" in result.stdout


def test_an_unknown_flag_of_a_file_is_found_there(script, tmp_path):
    path = tmp_path / "x.flags"
    path.write_text("--loud\n\n--sise=7\n")
    result = run(script, "--size=1", f"--flagfile={path}")
    assert result.stderr == (
        f"error: Unknown flag `--sise` ({path}, line 3). Did you mean 'size'?\n"
    )


def test_the_command_line_wins_over_the_file(script, tmp_path):
    path = tmp_path / "x.flags"
    path.write_text("--size=7\n--loud\n")
    result = run(script, "--size=5", "--flagfile", str(path))
    assert result.stdout == "size 5 loud True\n"


def test_help_ends_with_its_reader(script):
    process = subprocess.Popen(
        [sys.executable, script, "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Nobody reads, as behind `| head -0`.
    process.stdout.close()
    assert process.stderr.read() == ""


def test_an_interruption_is_no_trace(script):
    process = subprocess.Popen(
        [sys.executable, script, "--place=wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.strip() == "interrupted"


def test_a_closed_pipe_is_no_trace(script):
    process = subprocess.Popen(
        [sys.executable, script, "--place=long"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait(timeout=20)
