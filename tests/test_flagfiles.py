import pytest
from absl import flags

from tfrec.errors import InputError
from tfrec.flagfiles import Argument, expand


@pytest.fixture
def file(tmp_path):
    """Writes a file and returns its path."""

    def write(name, *lines):
        (tmp_path / name).write_text("\n".join(lines))
        return str(tmp_path / name)

    return write


def value(arguments):
    """What --n is in the end."""
    values = flags.FlagValues()
    flags.DEFINE_integer("n", 0, "", flag_values=values)
    values(["program", *(argument.text for argument in expand(arguments))])
    return values.n


def test_without_files_the_arguments_stay_as_they_are():
    given = ["--a=1", "--b", "2", "--", "c"]
    assert expand(given) == [Argument(text) for text in given]


def test_a_flag_of_a_file_knows_where_it_stands(file):
    path = file("x", "# A comment.", "", "// Another.", "  --a=1 2  ", "--b")
    assert expand(["-flagfile=" + path]) == [
        Argument("--a=1 2", f"{path}, line 4"),
        Argument("--b", f"{path}, line 5"),
    ]


@pytest.mark.parametrize("form", ["{0}={1}", "{0} {1}"])
@pytest.mark.parametrize("first", [True, False])
def test_the_command_line_wins_wherever_it_stands(file, form, first):
    named = form.format("--flagfile", file("x", "--n=1")).split(" ")
    assert value(["--n=2", *named] if first else [*named, "--n=2"]) == 2
    assert value(named) == 1


@pytest.mark.parametrize("form", ["--flagfile={}", "--flagfile {}"])
def test_it_wins_over_files_in_files(file, form):
    inner = file("inner", "--n=1")
    outer = file("outer", form.format(inner))
    assert value([f"--flagfile={outer}"]) == 1
    assert value(["--n=2", f"--flagfile={outer}"]) == 2


def test_a_file_wins_over_those_that_it_names(file):
    outer = file("outer", "--n=2", f"--flagfile={file('inner', '--n=1')}")
    assert value([f"--flagfile={outer}"]) == 2


def test_of_several_files_the_later_wins(file):
    one, two = (f"--flagfile={file(n, f'--n={n}')}" for n in ("1", "2"))
    assert value([one, two]) == 2
    assert value([two, one]) == 1
    # Twice the same is no circle.
    assert value([one, two, one]) == 1


def test_home_is_found(file, tmp_path, monkeypatch):
    file("x", "--n=3")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert value(["--flagfile=~/x"]) == 3


def test_files_that_name_each_other_are_refused(file, tmp_path):
    one = file("one", f"--flagfile={tmp_path}/two")
    two = file("two", "--n=1", f"--flagfile={one}")
    with pytest.raises(InputError) as error:
        expand([f"--flagfile={one}"])
    assert str(error.value) == (
        "`--flagfile` must not lead back to the file that it stands in. "
        f"Received: {one}. ({two}, line 2)"
    )


@pytest.mark.parametrize("line", ["n=1", "--n 1", "--n 1=2"])
def test_a_line_that_is_no_flag_is_named(file, line):
    path = file("x", "--n=1", line)
    with pytest.raises(InputError) as error:
        expand([f"--flagfile={path}"])
    assert str(error.value) == (
        f"{path}, line 2: expected a flag, --name=value. Received: {line!r}."
    )


@pytest.mark.parametrize("arguments", [["--flagfile"], ["--flagfile="]])
def test_a_file_must_be_named(arguments):
    with pytest.raises(InputError, match=r"of flags\. Received: nothing"):
        expand(arguments)


def test_a_file_may_begin_with_a_mark(tmp_path):
    path = tmp_path / "windows.flags"
    path.write_bytes(b"\xef\xbb\xbf--model=pop\r\n--k=3\r\n")
    assert [a.text for a in expand([f"--flagfile={path}"])] == [
        "--model=pop",
        "--k=3",
    ]


def test_a_file_that_cannot_be_read_is_named(file, tmp_path):
    outer = file("outer", f"--flagfile={tmp_path}/none")
    with pytest.raises(
        InputError, match=r"none\. \(.*outer, line 1\) .*No such"
    ):
        expand([f"--flagfile={outer}"])
    (tmp_path / "none").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="utf-8"):
        expand([f"--flagfile={outer}"])
