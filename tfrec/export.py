"""Exports a trained run for TensorFlow Serving.

Writes <export_dir>/<name>/<version>: strings in, strings out, with the
vocabulary inside, in plain TensorFlow operations. The new version is loaded
and compared with the model before it gets its name, so that a server that
watches the folder finds it whole and right, or not at all. The model is added
to models.config in that folder, which says what TensorFlow Serving serves.

    python -m tfrec.export --run_dir=runs/first

    # Under another name, with longer lists.
    python -m tfrec.export --run_dir=runs/first --name=home-page --k=50

    # For a large catalogue: items are found by an index.
    python -m tfrec.export --run_dir=runs/first --index=partitioned

    # Try it; production runs TensorFlow Serving itself.
    python -m tfrec.serve
"""

import dataclasses

from tfrec import cli, settings
from tfrec.serving.config import DestinationConfig
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class ExportConfig(Settings):
    """What to export."""

    run_dir: str = setting("", "Folder of the run.", required=True)
    data_dir: str = setting(
        "", "Where its prepared dataset is now. Empty: where it was."
    )


def main() -> None:
    """Exports as the flags say."""
    config = settings.from_flags(ExportConfig)
    destination = settings.from_flags(DestinationConfig)
    # Only here, so that `--help` need not wait for TensorFlow.
    import tensorflow as tf

    from tfrec.serving.exporting import describe, export
    from tfrec.serving.model_config_file import ModelConfigFile, changing
    from tfrec.training import load_run

    # An export for any processor is traced on the one that all have.
    tf.config.set_visible_devices([], "GPU")
    # Read before it takes long: it can be what is wrong.
    served = destination.export_dir, destination.model_config_file
    ModelConfigFile(*served)
    run = load_run(config.run_dir, config.data_dir)
    version = export(
        run,
        destination.export_dir,
        destination.name,
        destination.k,
        destination.version,
        index_recall=destination.least_recall,
    )
    with changing(*served) as file:
        file.add(version.parent.name)
    print(describe(version))
    folder = version.parent
    print(
        f"Answers as {run.folder} does. Serve it:\n"
        f"  python -m tfrec.serve --export_dir={folder.parent}\n"
        "  docker run -p 8500:8500 -p 8501:8501 -e MODEL_NAME="
        f"{folder.name} \\\n    -v {folder.resolve()}:/models/{folder.name} "
        "tensorflow/serving"
    )


def run() -> None:
    """Runs the command."""
    cli.run(main, ExportConfig, DestinationConfig)


if __name__ == "__main__":
    run()
