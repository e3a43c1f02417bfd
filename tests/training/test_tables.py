from tfrec.training import metric_table, report

METRICS = {"recall@5": 0.25, "mrr@5": 0.125, "recall@20": 0.5, "mrr@20": 1.0}


def test_a_report_says_split_and_protocol_once():
    protocol = "holdout 0.2, history excluded, 8 users"
    result = {"split": "test", "protocol": protocol, "metrics": METRICS}
    first, rest = report(result).split("\n", 1)
    assert first == f"test: {protocol}"
    assert rest == metric_table(METRICS)


def test_metrics_are_rows_and_cutoffs_are_columns():
    assert metric_table(METRICS).splitlines() == [
        "            @5     @20",
        "Recall  0.2500  0.5000",
        "MRR     0.1250  1.0000",
    ]


def test_a_number_that_was_not_taken_leaves_its_place_empty():
    metrics = {"ndcg@5": 0.1, "coverage@10": 0.2, "ndcg@10": 0.3}
    assert metric_table(metrics).splitlines() == [
        "              @5     @10",
        "NDCG      0.1000  0.3000",
        "coverage          0.2000",
    ]


def test_the_best_that_can_be_stands_beside_each():
    lines = metric_table(METRICS, {"recall@5": 0.5}).splitlines()
    assert [line.rstrip() for line in lines] == [
        "            @5  best@5     @20  best@20",
        "Recall  0.2500  0.5000  0.5000",
        "MRR     0.1250          1.0000",
    ]
