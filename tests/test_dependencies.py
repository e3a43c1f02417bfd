"""The core asks for what it imports, and imports nothing of the extras."""

import ast
import re
import sys

import pytest

from tests.requirements import ROOT, setup_arguments

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


# What reads files by running what is in them, or runs text.
_RUNS_FILES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
_RUNS_TEXT = {"eval", "exec", "compile", "__import__"}


def runs_data(path):
    """Lists where a file could run what it reads."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", None)
            if called in _RUNS_TEXT:
                yield f"{called}()"
            for word in node.keywords:
                value = getattr(word.value, "value", None)
                if (word.arg, value) in (
                    ("allow_pickle", True),
                    ("safe_mode", False),
                ):
                    yield f"{word.arg}={value}"
    yield from _RUNS_FILES & set(imported(path))


def test_nothing_that_is_read_is_run():
    for path in (ROOT / "tfrec").rglob("*.py"):
        assert not [*runs_data(path)], path


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "keras.saving.load_model(path, safe_mode=False)",
    ],
)
def test_code_that_would_run_what_it_reads_is_found(tmp_path, code):
    path = tmp_path / "module.py"
    path.write_text(code)
    assert [*runs_data(path)]
