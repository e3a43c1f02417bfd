"""The plans: what they name is there, and what is asked for is chosen."""

import pytest

from tests.flagfiles import CONFIGS, read_flagfile
from tfrec.data.datasets import DATASETS
from tfrec.errors import InputError
from tfrec.models import MODELS, get_model
from tfrec.reproduction import acvae, vaser
from tfrec.reproduction.plan import (
    UNSEEDED,
    VARIANTS,
    Job,
    Results,
    Row,
    Study,
    printed,
)
from tfrec.reproduction.selection import select

PLANS = {"acvae": acvae.PLAN, "vaser": vaser.PLAN}
JOBS = {
    f"{name}/{job.name}": job
    for name, plan in PLANS.items()
    for job in select(plan, (), CONFIGS)[1]
}


def tables(plan):
    return [part for part in plan.parts if isinstance(part, Results)]


def chosen(paper, *only):
    parts, jobs = select(PLANS[paper], only, CONFIGS)
    return [part.name for part in parts], [job.name for job in jobs]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_the_command_takes_the_settings_of_a_job(job):
    data, training, _ = read_flagfile(CONFIGS / job.flagfile, *job.changes)
    assert data.dataset in DATASETS
    # Each change is one: a flag that repeats the file would say nothing.
    assert training.model == job.flagfile.partition("/")[0]


def test_jobs_of_one_name_are_one_job():
    for plan in PLANS.values():
        found = {}
        for part in plan.parts:
            for _, job in part.jobs(CONFIGS):
                assert found.setdefault(job.name, job) == job


def test_the_settings_of_a_study_differ():
    for plan in PLANS.values():
        for part in plan.parts:
            if isinstance(part, Study):
                settings = [
                    str(read_flagfile(CONFIGS / p.job.flagfile, *p.job.changes))
                    for p in part.points
                ]
                assert len(set(settings)) == len(settings)


@pytest.mark.parametrize("name", PLANS)
def test_every_published_row_is_a_model_with_all_numbers(name):
    for table in tables(PLANS[name]):
        models = [row.model for row in table.rows]
        assert set(models) <= set(MODELS)
        assert len(set(models)) == len(models)
        for dataset in table.datasets:
            assert set(dataset.scores) <= set(models)
            for scores in dataset.scores.values():
                assert len(scores) == len(table.metrics)
                assert all(0 < score < 1 for score in scores)


def test_numbers_stand_where_the_papers_print_them():
    (table,) = tables(acvae.PLAN)
    blocks = {dataset.name: dataset for dataset in table.datasets}
    assert dict(
        zip(table.metrics, blocks["ml_1m"].scores["svae"], strict=True)
    ) == {
        "recall@5": 0.077,
        "ndcg@5": 0.152,
        "mrr@5": 0.267,
        "recall@10": 0.129,
        "ndcg@10": 0.157,
        "mrr@10": 0.289,
        "recall@20": 0.207,
        "ndcg@20": 0.176,
        "mrr@20": 0.299,
    }
    assert blocks["yelp"].scores["acvae"][-1] == 0.025
    (table,) = tables(vaser.PLAN)
    assert table.metrics == ("recall@20", "mrr@20")
    assert table.datasets[0].scores["vaser"] == (0.7185, 0.3005)
    assert table.datasets[1].scores["vrm"] == (0.6822, 0.2835)


def test_what_a_paper_prints_is_read_as_it_stands():
    assert printed("\na .1 .25\nb 1 2\n") == {"a": (0.1, 0.25), "b": (1, 2)}
    assert printed("a 71.85", percent=True) == {"a": (0.7185,)}


def test_counts_and_closed_forms_have_one_seed():
    assert set(UNSEEDED) == {
        name
        for name in MODELS
        if get_model(name).one_pass and not get_model(name).blends
    }
    assert Job("a", "d", "pop/d.flags").seeds((3, 4)) == (3,)
    assert Job("a", "d", "acvae/d.flags").seeds((3, 4)) == (3, 4)


def test_everything_is_chosen_by_default():
    parts, jobs = chosen("vaser")
    assert parts == [part.name for part in vaser.PLAN.parts]
    assert len(set(jobs)) == len(jobs)


def test_a_choice_is_by_part_dataset_and_model():
    assert chosen("acvae", "table2:ml_latest:ease") == (
        ["table2"],
        ["ml_latest/ease/ours"],
    )
    # On each dataset that has settings of it.
    parts, jobs = chosen("acvae", "sasrec:ours")
    assert parts == ["table2"]
    assert jobs[:2] == ["ml_latest/sasrec/ours", "ml_1m/sasrec/ours"]
    assert all(job.endswith("/sasrec/ours") for job in jobs)
    parts, jobs = chosen("acvae", "figure4:ml_latest", "table1")
    assert parts == ["table1", "figure4"]
    assert jobs == [
        f"ml_latest/ablation/{name}" for name in ("full", "no_avb", "l2")
    ]


def test_figures_of_one_setting_share_its_run():
    _, jobs = chosen("acvae", "figure3:ml_latest", "figure4:ml_latest")
    assert jobs.count("ml_latest/ablation/full") == 1
    _, jobs = chosen("vaser", "figure2", "figure3", "table2:narm")
    assert jobs.count("yoochoose_1_64/narm/ours") == 1


def test_a_variant_is_there_where_its_flagfile_is(tmp_path):
    for model in ("svae", "fpmc"):
        (tmp_path / model).mkdir()
        for end, _ in VARIANTS.values():
            (tmp_path / model / f"ml_latest{end}.flags").touch()
    _, jobs = select(acvae.PLAN, ["table2:svae"], tmp_path)
    assert {job.name: job.flagfile for job in jobs} == {
        "ml_latest/svae/published": "svae/ml_latest_paper.flags",
        "ml_latest/svae/ours": "svae/ml_latest.flags",
        "ml_latest/svae/tuned": "svae/ml_latest_tuned.flags",
    }
    # Ours are FPMC's published settings: one training is both.
    _, jobs = select(acvae.PLAN, ["table2:fpmc"], tmp_path)
    assert [job.name for job in jobs] == [
        "ml_latest/fpmc/ours",
        "ml_latest/fpmc/tuned",
    ]
    assert select(acvae.PLAN, ["fpmc:published"], tmp_path)[1] == jobs[:1]


def test_a_search_that_found_nothing_better_is_no_training_of_its_own():
    row = Row("ease", "EASE", as_tuned=("ml_latest",))
    assert row.job("ml_latest", "tuned") == row.job("ml_latest", "ours")
    assert row.job("ml_1m", "tuned").flagfile == "ease/ml_1m_tuned.flags"
    # A flagfile of its own would not be read.
    for plan in (acvae.PLAN, vaser.PLAN):
        (table,) = (part for part in plan.parts if isinstance(part, Results))
        for row in table.rows:
            for dataset in row.as_tuned:
                name = f"{row.model}/{dataset}"
                assert (CONFIGS / f"{name}.flags").exists()
                assert not (CONFIGS / f"{name}_tuned.flags").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("tabel2", "Did you mean 'table2'"),
        ("table2:ml_latest:sasrek", "Did you mean 'sasrec'"),
        ("sasrec:table2", "Received: sasrec:table2"),
    ],
)
def test_a_choice_of_nothing_is_an_error(wrong, message):
    with pytest.raises(InputError, match=message):
        select(acvae.PLAN, ["table1", wrong], CONFIGS)
