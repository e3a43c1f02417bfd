"""Tables of the figures that are drawn from more than metrics."""

from benchmarks import studies


def test_a_figure_shows_the_models_that_were_run(monkeypatch):
    group = ["1", 2000, 0.25, 0.125]
    found = {
        "yoochoose_1_64/narm/ours": {
            "lengths": {
                "clicks of the session": [["2", 5, 0.5, 0.25], group],
                "clicks before the target": [group],
            },
            "encodings": {"sessions": 2048, "dimensions": 100, "filled": 7.25},
        },
    }

    def read(job):
        return [found[job.name]] if job.name in found else []

    monkeypatch.setattr(studies, "read", read)
    assert studies.table("vaser/figure3/yoochoose_1_64").splitlines() == [
        "| clicks of the session | targets | NARM recall@20 | NARM MRR@20 |",
        "|---|---|---|---|",
        "| 2 | 5 | .5000 | .2500 |",
        "| 1 | 2,000 | .2500 | .1250 |",
        "",
        "| clicks before the target | targets | NARM recall@20 | NARM MRR@20 |",
        "|---|---|---|---|",
        "| 1 | 2,000 | .2500 | .1250 |",
    ]
    assert studies.table("vaser/figure2/yoochoose_1_64").splitlines() == [
        "|  | sessions | dimensions | dimensions that they fill |",
        "|---|---|---|---|",
        "| NARM | 2,048 | 100 | 7.2 |",
    ]
