"""Opens what answers for everybody."""

from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.lists.candidates import read_candidates
from tfrec.lists.config import SourceConfig
from tfrec.lists.exports import ExportSource
from tfrec.lists.runs import RunSource
from tfrec.lists.source import Source
from tfrec.training import load_run


def open_source(config: SourceConfig) -> Source:
    """Opens the run or the export that the settings name.

    Raises:
        InputError: If it cannot be, or its candidates cannot be read.
    """
    if config.run_dir:
        run = load_run(config.run_dir, config.data_dir)
        return RunSource(run, config.k, read_candidates(config, run.data))
    if not config.data_dir:
        raise InputError(
            "`--data_dir` must be given with `--export_dir`: the prepared "
            "dataset that has the users."
        )
    data = PreparedDataset.open(config.data_dir)
    # Read for what is wrong in them; the export knows items of its own.
    read_candidates(config, data)
    return ExportSource(config, data)
