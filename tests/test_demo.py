"""What of `make demo` the README shows."""

from pathlib import Path

import pytest

from docs import demo
from tfrec.errors import InputError

README = Path(__file__).parents[1] / "README.md"
LOG = """python -m tfrec.train --run_dir=runs/quickstart
Training acvae in runs/quickstart.
Epoch 1/3 - 2s - loss: 12.5 - about 5 s left
Epoch 2/3 - 2s - loss: 11.5 - about 2 s left
Epoch 3/3 - 2s - loss: 10.5
            @5
Recall  0.3767
python -m tfrec.recommend --run_dir=runs/quickstart
  1    -2.257  opera-017      Opera 017
  2    -2.302  blues-025      Blues 025
  3    -2.724  blues-001      Blues 001
python -m tfrec.evaluate --run_dir=runs/quickstart
            @5
Recall  0.3767\x20\x20

Go on:
  python -m tfrec.explore
"""


def test_a_log_is_shortened_to_what_it_tells():
    assert demo.shortened(LOG) == (
        """python -m tfrec.train --run_dir=runs/quickstart
...
Epoch 1/3 - 2s - loss: 12.5 - about 5 s left
...
Epoch 3/3 - 2s - loss: 10.5
...
python -m tfrec.recommend --run_dir=runs/quickstart
  1    -2.257  opera-017      Opera 017
  2    -2.302  blues-025      Blues 025
...
python -m tfrec.evaluate --run_dir=runs/quickstart
            @5
Recall  0.3767

Go on:
  python -m tfrec.explore
"""
    )


def test_the_readme_shows_the_commands_of_the_demo():
    text = README.read_text(encoding="utf-8")
    shown = text.partition(demo.BEGIN)[2].partition(demo.END)[0]
    commands = [line for line in shown.splitlines() if "-m tfrec." in line]
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    # All but the server, which prints nothing there.
    for name in ("train", "recommend", "export", "evaluate"):
        assert f"-m tfrec.{name} " in makefile
        assert any(f"-m tfrec.{name} " in command for command in commands)
    assert demo.recorded(text, "new\n").count("new\n```") == 1


def test_a_readme_without_the_marks_is_refused():
    with pytest.raises(InputError, match="must have the lines <!-- make demo"):
        demo.recorded("# A", "text")
