"""The watch: requests now, against the training and the test of a model."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.lists.config import SourceConfig
from tfrec.lists.exports import ExportSource, find_version
from tfrec.lists.runs import RunSource
from tfrec.models.base.items import count_interactions
from tfrec.promotion.card import CARD, EXTRA
from tfrec.promotion.incumbent import Promoted
from tfrec.serving.servable import FOR_USER
from tfrec.training.run import Run, explained, load_run
from tfrec.watching.comparing import (
    NAMES,
    NONE_KNOWN,
    UNKNOWN_ITEMS,
    Risen,
    of_histories,
    of_lists,
    of_scores,
    risen_items,
    shares,
)
from tfrec.watching.config import WatchConfig
from tfrec.watching.drift import Counted, Popularity, Shift, Shown
from tfrec.watching.reading import find_files
from tfrec.watching.reference import (
    Asking,
    agreement,
    read_pool,
    refuse_another_model,
    refuse_logits,
)
from tfrec.watching.served import Served
from tfrec.watching.traffic import choose_version, first_asked, read_traffic


@dataclasses.dataclass(frozen=True)
class Watched:
    """What was found.

    Attributes:
        name: The model's name in the server.
        version: The version that was watched.
        versions: What is known of each version.
        of: What the answers are compared with: a run, or a version; "" where
            the log has none.
        data_dir: Its dataset.
        pool: What the requests are compared with: "test".
        lengths: Number of its histories.
        asked: How many of these the model was asked.
        agreeing: Of answers in the log that were asked again, how many are
            the same, and of how many.
        shares: Shares of the requests.
        shifts: Distributions that may have moved.
        shown: What the lists hold, in the test and now, for as many lists of
            as many items; None without lists.
        lists: As many lists, and items in each.
        risen: Items whose share grew most.
    """

    name: str
    version: int
    versions: dict[int, Served]
    of: str
    data_dir: Path
    pool: str
    lengths: int
    asked: int
    agreeing: tuple[int, int]
    shares: list[Counted]
    shifts: list[Shift]
    shown: tuple[Shown, Shown] | None
    lists: tuple[int, int]
    risen: list[Risen]

    @property
    def served(self) -> Served:
        """What is known of the version that was watched."""
        return self.versions[self.version]

    @property
    def unknown(self) -> list[tuple[str, int]]:
        """The most frequent unknown items, and how often they are there."""
        return self.served.unknown_names.most_common(NAMES)

    def failures(self, config: WatchConfig) -> list[str]:
        """Returns what exceeds `--fail_above` and `--fail_unknown`."""
        found, bound = [], config.fail_unknown
        for shift in self.shifts:
            if config.fail_above is not None and shift.exceeds(
                config.fail_above
            ):
                found.append(f"{shift.name}: PSI {shift.psi:.3f}")
        for name, share in (
            (UNKNOWN_ITEMS, self.served.unknown_items),
            (NONE_KNOWN, self.served.none_known),
        ):
            if bound is None:
                continue
            enough = share.rows >= config.min_rows
            if Counted(name, share, bound, enough).exceeds(bound):
                found.append(f"{name}: {share.value:.1%}")
        return found


def watch(config: WatchConfig) -> Watched:
    """Reads a log and compares it.

    Args:
        config: Settings.

    Raises:
        InputError: If the log, the run or the export cannot be read, or do not
            belong together.
    """
    # First what is found out at once.
    paths = find_files(config.log)
    run = load_run(config.run_dir, config.data_dir) if config.run_dir else None
    data = run.data if run else _likely_data(config, paths)
    name, versions = read_traffic(paths, data, config.name, config.seed)
    version = choose_version(versions, config.version)
    if not run:
        answered = data_of_export(config, name, version)
        if answered.manifest.data_checksum != data.manifest.data_checksum:
            data = answered
            _, versions = read_traffic(paths, data, config.name, config.seed)
            # A file of the log may be gone by now.
            choose_version(versions, version)
    _refuse_strangers(versions[version], data)
    with explained(data):
        return _compare(config, run, data, name, versions, version)


def _compare(
    config: WatchConfig,
    run: Run | None,
    data: PreparedDataset,
    name: str,
    versions: dict[int, Served],
    version: int,
) -> Watched:
    served = versions[version]
    signature = served.signature
    given = served.answers[signature].kept
    length = max((len(answer.items) for answer in given), default=0)
    pool = read_pool(data, config.histories, config.seed)
    popularity = Popularity(count_interactions(data))
    shifts = of_histories(served, pool, popularity, config.min_rows)
    answers, agreeing, of, shown = [], (0, 0), "", None
    if given:
        asking, of = _open(config, run, data, name, version, length, signature)
        again = asking.again(served, signature)
        agreeing = agreement(again)
        refuse_another_model(*agreeing, version, of)
        refuse_logits(again, version, of)
        answers = asking.answers(pool.chosen)
        shifts += of_scores(answers, given, config.min_rows)
        rng = np.random.default_rng(config.seed)
        shown, shift = of_lists(
            answers, given, length, popularity, config.min_rows, rng
        )
        shifts.append(shift)
    return Watched(
        name=name,
        version=version,
        versions=versions,
        of=of,
        data_dir=data.data_dir,
        pool=pool.name,
        lengths=len(pool.lengths),
        asked=len(answers),
        agreeing=agreeing,
        shares=shares(served, config.min_rows),
        shifts=shifts,
        shown=shown,
        lists=(min(len(answers), len(given)), length),
        risen=risen_items(served, popularity.counts, data),
    )


def _likely_data(config: WatchConfig, paths: Sequence[Path]) -> PreparedDataset:
    """Opens the dataset of the version that answered first.

    Only who has read the log knows which is to be watched, and to read it takes
    a dataset.
    """
    if config.data_dir:
        return PreparedDataset.open(config.data_dir)
    name, version = first_asked(paths, config.name)
    return data_of_export(config, name, config.version or version)


def data_of_export(
    config: WatchConfig, name: str, version: int
) -> PreparedDataset:
    """Opens the dataset of a version: the one given, or that of its card.

    Args:
        config: Names both.
        name: Of the model.
        version: Its number; 0: the newest.

    Raises:
        InputError: If there is none, or the card says that it is another one.
    """
    path = find_version(Path(config.export_dir), name, version)
    if (path / EXTRA / CARD).exists():
        return Promoted.of(path, config.data_dir).open_data()
    if not config.data_dir:
        raise InputError(
            f"`--data_dir` must be given: {path} has no card that names it, as "
            "it was exported without `tfrec promote`."
        )
    return PreparedDataset.open(config.data_dir)


def _refuse_strangers(served: Served, data: PreparedDataset) -> None:
    """Raises `InputError` if the log has no item of the dataset."""
    if served.unknown_items.all and not served.lengths:
        names = [name for name, _ in served.unknown_names.most_common(3)]
        raise InputError(
            f"No item of the histories in the log is one of {data.data_dir}: "
            f"they are {', '.join(names)}, ..., and those of the dataset "
            f"{', '.join(data.vocabulary.items[:3])}, .... Give the run of the "
            "model that was asked."
        )


def _open(
    config: WatchConfig,
    run: Run | None,
    data: PreparedDataset,
    name: str,
    version: int,
    length: int,
    signature: str,
) -> tuple[Asking, str]:
    """Opens the model that is asked, and says what it is."""
    if run:
        source, of = (
            RunSource(run, min(length, data.num_items)),
            str(run.folder),
        )
    else:
        asked = SourceConfig(export_dir=config.export_dir, name=name, k=length)
        source = ExportSource(asked, data, version)
        of = str(find_version(Path(config.export_dir), name, version))
    return Asking(source, data, signature == FOR_USER), of
