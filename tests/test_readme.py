"""The README's Python does what it says, on less data."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_readmes_python_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    for whole, less in (
        ('dataset="synthetic"', 'dataset="synthetic", synthetic_users=100'),
        ("epochs=5", "epochs=1"),
    ):
        assert whole in code
        code = code.replace(whole, less)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    metrics, best = capsys.readouterr().out.splitlines()[-2:]
    assert "'recall@10': 0." in metrics
    assert re.fullmatch(r"(\['[a-z]+-\d{3}', .*'\]) \[-\d.* -\d.*\]", best)
