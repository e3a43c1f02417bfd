"""What is installed to test the bounds of setup.py, and what is locked."""

from collections import Counter

import pytest
from packaging.version import Version

from tests import bounds
from tests.requirements import LOCK, ROOT, direct, pins
from tfrec.errors import InputError


def test_every_dependency_is_used_by_a_test_that_there_is():
    assert set(bounds.USED_BY) == set(direct(bounds.EXTRAS)) - bounds.UNTESTED
    for use in bounds.USED_BY.values():
        assert use.startswith("-m ") or (ROOT / use).is_file(), use


def test_every_dependency_has_both_bounds():
    for name, requirement in direct([*bounds.EXTRAS, "audit"]).items():
        operators = {part.operator for part in requirement.specifier}
        assert {">=", "<"} <= operators, name


def test_the_lock_has_the_core_within_its_bounds():
    text = LOCK.read_text(encoding="utf-8")
    locked = pins(text)
    for name, requirement in direct().items():
        assert Version(locked[name]) in requirement.specifier, name
    assert not set(locked) & set(direct(bounds.EXTRAS)) - set(direct())
    # Each version is followed by the hashes of its files.
    blocks = text.split("==")[1:]
    assert len(blocks) == len(locked)
    assert all("--hash=sha256:" in block for block in blocks)


def test_outcomes_are_counted_by_what_uses_a_dependency(tmp_path):
    report = tmp_path / "tests.xml"
    name = bounds.USED_BY["pooch"]
    report.write_text(
        "<testsuites><testsuite>"
        f'<testcase file="{name}" name="a"/>'
        f'<testcase file="{name}" name="b"><system-out/></testcase>'
        f'<testcase file="{name}" name="c"><skipped/></testcase>'
        '<testcase file="tests/x.py" name="d"><failure/></testcase>'
        "</testsuite></testsuites>"
    )
    found = bounds.read_report(report)
    assert found[name] == Counter(passed=2, skipped=1)
    assert not bounds.bad(found[name]) and bounds.bad(found["tests/x.py"])
    shown = bounds.table(bounds.BoundsConfig(), {"pooch": "1.8.0"}, found)
    rows = {row[0]: row[1:] for row in shown.rows}
    assert rows["pooch"] == ["<2,>=1.8", "1.8.0", "2 passed, 1 skipped"]
    assert rows["pyspark"][1:] == ["-", "-"]
    assert shown.caption.endswith("1 failure, 2 passed, 1 skipped")


def test_only_what_was_tested_is_locked(tmp_path):
    with pytest.raises(InputError, match="`--lock` keeps what was tested"):
        bounds.BoundsConfig(lock=True)
    with (
        pytest.raises(InputError, match="`--folder` must be new"),
        bounds.new_folder(str(tmp_path)),
    ):
        pass
