"""What setup.py asks for, and what requirements.lock has."""

import ast
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
# A line such as `absl-py==2.5.1 \`, before those of its hashes.
_PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def setup_arguments():
    """Returns `install_requires` and `extras_require` of setup.py."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    return {
        keyword.arg: ast.literal_eval(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in ("install_requires", "extras_require")
    }


def direct(extras=()):
    """Returns the requirements of the core and of some extras, by name."""
    arguments = setup_arguments()
    lines = [*arguments["install_requires"]]
    for extra in extras:
        lines += arguments["extras_require"][extra]
    found = map(Requirement, lines)
    return {canonicalize_name(each.name): each for each in found}


def pins(text):
    """Returns {name: version} of a list of pinned requirements."""
    return {canonicalize_name(n): version for n, version in _PIN.findall(text)}
