"""What a list holds: of a run and of an export."""

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tests.serving.runs import make_run
from tfrec.data.histories import Histories, History
from tfrec.errors import InputError
from tfrec.lists.candidates import Candidates
from tfrec.lists.config import ListsConfig
from tfrec.lists.one import recommend_to
from tfrec.lists.runs import RunSource
from tfrec.lists.sources import open_source
from tfrec.serving.exporting import export

OTHERS = {"item 3", "item 9"}


def everybody(data):
    return next(Histories(data).blocks(99))[1]


def of(source, users=None):
    """Returns the lists of a source by user."""
    histories = [
        h for h in everybody(source.data) if users is None or h.name in users
    ]
    answers = source.best(histories)
    return {
        history.name: list(zip(*answer, strict=True))
        for history, answer in zip(histories, answers, strict=True)
    }


def test_a_run_gives_what_its_model_ranks_first(run, expected):
    found = of(RunSource(run, 3))
    assert found == {name: items[:3] for name, items in expected.items()}


def test_a_list_ends_where_nothing_is_left(run, expected):
    found = of(RunSource(run, 12))
    assert found == expected
    assert min(map(len, found.values())) < 12


def test_only_candidates_are_listed(run, expected):
    some = RunSource(run, 2, Candidates(np.int32([1, 4, 7, 8, 10])))
    names = {f"item {i}" for i in (2, 5, 8, 9, 11)}
    for user, listed in of(some).items():
        left = [each for each in expected[user] if each[0] in names]
        assert listed == left[:2]
    with pytest.raises(InputError, match=r"`--k` must be at most 2, .* 3\."):
        RunSource(run, 3, Candidates(np.int32([1, 4])))


def test_groups_have_limits_however_far_one_must_look(run, expected):
    # All in one group but the last three: few are found among the first.
    groups = tuple(((0, 1),) if i < 9 else () for i in range(12))
    found = of(RunSource(run, 2, Candidates(groups=groups)))
    for user, listed in found.items():
        taken, left = [], 1
        for item, score in expected[user]:
            grouped = int(item.split()[1]) < 10
            if not grouped or left:
                left -= grouped
                taken.append((item, score))
        assert listed == taken[:2]
    assert any(v[:2] != expected[k][:2] for k, v in found.items())


def test_who_has_no_known_item_gets_the_popular_ones(tmp_path):
    data = prepare_sequences(
        tmp_path,
        train=[[1, 2, 3, 2], [2, 4, 2, 5], [2, 3, 4, 3]],
        test=[([9, 9], []), ([3, 9], [])],
        num_items=5,
        protocol="next_click",
    )
    source = RunSource(make_run("markov", data), 2)
    found = [tuple(answer.items) for answer in source.best(everybody(data))]
    # The first three sessions are those of the training.
    assert found[3] == ("item 2", "item 3")
    history = History("x", 0, np.int64([]))
    assert source.best([history])[0].items == ["item 2", "item 3"]
    assert found[4] != found[3]


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export(run, tmp_path_factory.mktemp("models"), k=4).parents[1]


def test_an_export_gives_the_lists_of_its_run(run, expected, exported):
    config = ListsConfig(
        export_dir=exported, data_dir=run.data.data_dir, k=3, output="x.csv"
    )
    found = of(open_source(config))
    assert found == {name: items[:3] for name, items in expected.items()}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k": 5}, r"`--k` must be at most 4, with which .* Received: 5\."),
        ({"name": "mine"}, r"`--name` must be .*: markov\. Received: mine\."),
        ({"data_dir": ""}, r"`--data_dir` must be given with `--export_dir`"),
        ({"export_dir": "/no"}, r"`--export_dir` must be a folder.*/no\."),
    ],
)
def test_an_export_that_cannot_answer_is_refused(run, exported, given, message):
    settings = {"export_dir": exported, "data_dir": run.data.data_dir, **given}
    with pytest.raises(InputError, match=message):
        open_source(ListsConfig(output="x.csv", **settings))


def test_one_user_of_the_dataset(run, expected, exported):
    config = ListsConfig(export_dir=exported, data_dir=run.data.data_dir, k=3)
    best = recommend_to("u5", config)
    assert [(item, score) for item, _, score in best] == expected["u5"][:3]
    assert best[0].title == best[0].item.replace("item", "Title")
    with pytest.raises(InputError, match=r"an id of .*, such as u0, .*: me\."):
        recommend_to("me", config)


def test_an_export_lists_candidates_alone(run, expected, exported, tmp_path):
    (tmp_path / "deny").write_text("item 3\nitem 9\n")
    config = ListsConfig(
        export_dir=exported,
        data_dir=run.data.data_dir,
        k=3,
        deny=str(tmp_path / "deny"),
    )
    for user, listed in of(open_source(config)).items():
        left = [each for each in expected[user] if each[0] not in OTHERS]
        assert listed == left[:3]
