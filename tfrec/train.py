"""Trains a model on a log of interactions and measures it.

Prepares the data if that was not done before, trains, keeps the epoch that is
best on the validation split, and tests it once at the end. Everything goes
into one folder, `--run_dir`: configuration, checkpoints, TensorBoard,
`epochs.csv` and the numbers, `metrics.json`. The same command again resumes a
run that was interrupted, at whatever moment.

    # MovieLens (downloaded), with the default settings of ACVAE.
    python -m tfrec.train --dataset=ml-latest-small --run_dir=runs/first

    # A published result, with files that are already here.
    python -m tfrec.train --flagfile=configs/acvae/ml_1m.flags \\
        --raw_dir=~/ml-1m --run_dir=runs/ml_1m

    # Your own log: a CSV file with the columns user, item and time.
    python -m tfrec.train --dataset=csv --raw_dir=clicks.csv \\
        --sequence_column=user --timestamp_column=time --run_dir=runs/mine

    # Watch it, then ask it.
    tensorboard --logdir runs
    python -m tfrec.recommend --run_dir=runs/mine --history=a,b,c
"""

from tfrec import cli, settings
from tfrec.data import DataConfig
from tfrec.models import MODELS, get_entry
from tfrec.settings import Settings
from tfrec.training import TrainingConfig


def read_settings() -> tuple[DataConfig, TrainingConfig, Settings]:
    """Returns the settings of data, training and model that the flags give."""
    config = settings.from_flags(TrainingConfig)
    model_class = get_entry(config.model).config_class
    settings.refuse_foreign_flags(
        [DataConfig, TrainingConfig, model_class],
        [entry.config_class for entry in MODELS.values()],
        f"--model={config.model}",
    )
    data_config = settings.from_flags(DataConfig)
    return data_config, config, settings.from_flags(model_class)


def main() -> None:
    """Trains as the flags say."""
    data_config, config, model_config = read_settings()

    # Only here, so that help and errors need not wait for TensorFlow.
    from tfrec.data import prepare
    from tfrec.training import report, train
    from tfrec.training.strategy import make_strategy

    # Before anything else: TensorFlow meets the other workers only once.
    make_strategy(config.distribution)
    print(report(train(prepare(data_config), config, model_config)))


def run() -> None:
    """Runs the command."""
    cli.run(main, DataConfig, TrainingConfig, models=MODELS)


if __name__ == "__main__":
    run()
