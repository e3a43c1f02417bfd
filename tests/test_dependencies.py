"""The core asks for what it imports, and imports nothing of the extras."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# By extra, the files that alone may import it: with --engine=pyspark, by
# `tfrec tune`, and for the t-SNE of `tfrec reproduce`.
EXTRAS = {
    "spark": {"spark_engine.py", "spark_files.py"},
    "tune": {"tuning.py"},
    "reproduce": {"encodings.py"},
}
# Distributions whose modules have another name.
_MODULES = {
    "absl-py": "absl",
    "grpcio": "grpc",
    "ibis-framework": "ibis",
    "tensorflow-serving-api": "tensorflow_serving",
    # TensorFlow asks for protobuf, in the range that it can use.
    "tensorflow": "tensorflow google",
    "pyspark": "pyspark py4j",
    "scikit-learn": "sklearn",
}


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


def modules(requirements):
    """Returns the top-level modules of some requirements."""
    names = [re.match(r"[\w-]+", line)[0] for line in requirements]
    found = (_MODULES.get(name, name.replace("-", "_")) for name in names)
    return {module for names in found for module in names.split()}


def imported(path):
    """Returns the top-level modules that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_modules_import_only_what_is_installed_with_them():
    arguments = setup_arguments()
    core = modules(arguments["install_requires"])
    core |= sys.stdlib_module_names | {"tfrec"}
    for path in (ROOT / "tfrec").rglob("*.py"):
        allowed = core
        for extra, files in EXTRAS.items():
            if path.name in files:
                allowed = core | modules(arguments["extras_require"][extra])
        assert set(imported(path)) <= allowed, path


def test_the_core_requires_nothing_of_an_extra():
    arguments = setup_arguments()
    core = modules(arguments["install_requires"])
    for requirements in arguments["extras_require"].values():
        assert not core & modules(requirements)
