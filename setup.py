"""Installs tfrec: `pip install .`, or `pip install -e ".[dev]"` to change it.

Every dependency has both bounds, which `python -m tests.bounds` tests: see
docs/development.md. Lower ones marked so leave out versions with known holes.
"""

import pathlib
import re

from setuptools import find_packages, setup

ROOT = pathlib.Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (ROOT / "tfrec" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
).group(1)

setup(
    name="tfrec",
    version=VERSION,
    description="Variational sequential recommendation on TensorFlow",
    license="Apache-2.0",
    packages=find_packages(include=["tfrec", "tfrec.*"]),
    package_data={"tfrec.explorer": ["static/*"]},
    entry_points={"console_scripts": ["tfrec = tfrec.__main__:main"]},
    python_requires=">=3.10,<3.14",
    install_requires=[
        "absl-py>=2.1,<3",
        "duckdb>=1.5.4,<3",
        # The local server runs on these; TensorBoard brings werkzeug too.
        "grpcio>=1.66.2,<2",  # CVE-2024-11407.
        "prometheus-client>=0.20,<1",
        "waitress>=3.0.1,<4",  # CVE-2024-49768, CVE-2024-49769.
        "werkzeug>=3.1.6,<4",  # CVE-2026-27199, and others before it.
        # Who else works in a folder, on any system.
        "filelock>=3.20.3,<5",  # CVE-2025-68146, CVE-2026-22701.
        "ibis-framework[duckdb]>=12.0,<13",
        # CVE-2026-0897, CVE-2026-1462 and more of loading files. 3.12 alone
        # is mended for Python 3.10, and what lies between is not.
        "keras>=3.12.4,!=3.13.*,!=3.14.*,!=3.15.0,<3.16",
        "numpy>=1.26,<3",
        "orjson>=3.11.6,<4",  # CVE-2025-67221.
        # Downloads MovieLens, and checks it.
        "pooch>=1.8,<2",
        "pyarrow>=23.0.1,<27",  # CVE-2026-25087.
        # Intervals and tests of `tfrec compare`.
        "scipy>=1.15,<2",
        # TensorFlow 2.21 no longer installs TensorBoard.
        "tensorboard>=2.20,<2.22",
        "tensorflow>=2.21,<2.22",
        "tensorflow-probability>=0.25,<0.26",
        # 2.20 does not import with a protobuf of today.
        "tensorflow-serving-api>=2.21,<2.22",
        # TensorFlow Probability imports these two without asking for them.
        "setuptools>=78.1.1,<85",  # CVE-2025-47273.
        "tf-keras>=2.21,<2.22",
        "tqdm>=4.66.3,<5",  # CVE-2024-34062.
    ],
    extras_require={
        "dev": [
            # For the pictures in docs/.
            "matplotlib>=3.9,<4",
            # Many inputs for the properties that tests state.
            "hypothesis>=6.150,<7",
            # DataFrames that are prepared in tests.
            "polars>=1.20,<3",
            "pytest>=9.0.3,<10",  # CVE-2025-71176.
            # Several files of tests at a time: most keep less than a core busy.
            "pytest-xdist>=3.8,<4",
            # Reads the files for operators in tests.
            "pyyaml>=6,<7",
            "ruff>=0.17,<0.18",
            # Drives Chromium, where it and its driver are installed.
            "selenium>=4.20,<5",
        ],
        # For `python -m tests.bounds`, and to audit what is locked.
        "audit": ["pip-audit>=2.10,<3", "uv>=0.13,<0.14"],
        # For the t-SNE of `tfrec reproduce`.
        "reproduce": ["scikit-learn>=1.6,<2"],
        # For `tfrec tune`.
        "tune": ["optuna>=4.5,<5"],
        # For --engine=pyspark, which needs Java 17 or 21 too. Spark's newest
        # versions want Python 3.11.
        "spark": ["pyspark>=4.0,<4.4"],
    },
)
