"""The plan of VASER (WWW'19): its tables and figures 2 to 5.

The numbers are those that the paper prints: recall@20 and MRR@20 in percent.
"""

from tfrec.reproduction.plan import (
    Dataset,
    Drawn,
    Job,
    Plan,
    Point,
    Results,
    Row,
    Statistics,
    Study,
    printed,
)

_UNPRINTED = "Curves in the paper: no number printed."
_YOOCHOOSE_1_64 = """
itemknn 53.12 22.13
gru4rec 62.40 25.36
narm    70.13 29.38
stamp   70.21 29.22
relavar 64.32 25.26
vrm     69.32 28.75
vaser   71.85 30.05
"""
_YOOCHOOSE_1_4 = """
itemknn 52.43 21.75
gru4rec 59.58 22.62
narm    69.75 29.30
stamp   70.45 29.47
relavar 60.53 22.76
vrm     68.22 28.35
vaser   70.74 29.75
"""

_SMALL = "yoochoose_1_64"
_DATASETS = (
    Dataset(
        _SMALL,
        "YOOCHOOSE 1/64",
        ("557,248", "355,385", "52,956", "17,626", "6.27"),
        printed(_YOOCHOOSE_1_64, percent=True),
        "Sessions in two text files, of as many clicks, but with more "
        "prefixes. Each prefix counts, as in the paper's preparation.",
    ),
    Dataset(
        "yoochoose_1_4",
        "YOOCHOOSE 1/4",
        ("832,6407", "621,6184", "56,616", "30,903", "5.83"),
        printed(_YOOCHOOSE_1_4, percent=True),
        "From the raw clicks.",
    ),
)

_NARM = Row("narm", "NARM", as_published=True)
_STAMP = Row("stamp", "STAMP", as_published=True)
_VASER = Row("vaser", "VASER")
_ROWS = (
    Row("itemknn", "item-KNN", as_published=True),
    Row("gru4rec", "GRU4REC"),
    _NARM,
    _STAMP,
    Row("relavar", "ReLaVaR"),
    Row("vrm", "VRM (printed as CRM)"),
    _VASER,
    # What a reader of today asks for beside them.
    Row("sasrec", "SASRec"),
    Row("vsknn", "VSKNN"),
    Row("slist", "SLIST"),
    Row("rules", "Sequential rules"),
    Row("markov", "Markov chain of counts"),
    Row("transitions", "Counts of transitions"),
)

_METRICS = ("recall@20", "mrr@20")
_LAST = ("bound", "kl", "log_det", "active_units")
# The config, from sigma_0 = 1: from 0.1 the KL begins at 180 nats a prefix,
# and all that a large beta does is to lower it.
_START = "--initial_scale=1"
_PAPERS_BETA = 0.2
_BETAS = (0.0005, 0.005, 0.1, 0.2, 0.5, 1.0)
_FLOWS = (0, 1, 4, 8, 16, 32)


def _flow(flows: int, beta: float, objective: str = "bound") -> Job:
    return Job(
        f"{_SMALL}/flows/k_{flows}_beta_{beta:g}_{objective}",
        _SMALL,
        f"vaser/{_SMALL}.flags",
        (
            _START,
            f"--flows={flows}",
            f"--kl_weight={beta:g}",
            f"--objective={objective}",
        ),
    )


_OBJECTIVES = {
    "bound": "the bound",
    "printed": "eq. 9 as printed, without log q(z_0)",
}

PLAN = Plan(
    "VASER",
    "Zhou et al., Variational Session-based Recommendation Using Normalizing "
    "Flows, WWW'19, https://doi.org/10.1145/3308558.3313615",
    (
        Statistics(
            "table1",
            "Table 1: statistics of the datasets",
            "The paper's row comes first, as printed; ours follows. Its train "
            "and test sessions are prefixes: one for each click but the first.",
            (
                "Clicks",
                "Train sessions",
                "Test sessions",
                "Items",
                "Avg. length",
            ),
            _DATASETS,
        ),
        Results(
            "table2",
            "Table 2: comparison with the baselines",
            "The paper validates on 10% of the training sessions.",
            _METRICS,
            _DATASETS,
            _ROWS,
            digits=4,
            chart="recall@20",
        ),
        Drawn(
            "figure2",
            "Figure 2: encodings of NARM and VASER, by t-SNE",
            "A scatter plot in the paper: no number printed.",
            "encodings",
            (_NARM, _VASER),
            _SMALL,
        ),
        Drawn(
            "figure3",
            "Figure 3: recall by the length of the session",
            f"{_UNPRINTED} It does not say whether the length counts what "
            "comes after the target; both are shown.",
            "lengths",
            (_NARM, _STAMP, _VASER),
            _SMALL,
        ),
        Study(
            "figure4",
            "Figure 4: the weight beta of the KL term",
            f"{_UNPRINTED} It has 0.1, 0.2, 0.5 and 1; 0.2 is the paper's.",
            _SMALL,
            tuple(
                Point(_flow(16, beta, objective), title, beta)
                for objective, title in _OBJECTIVES.items()
                for beta in _BETAS
            ),
            "beta (--kl_weight), K = 16",
            _METRICS,
            last=_LAST,
        ),
        Study(
            "figure5",
            "Figure 5: the number K of planar flows",
            f"{_UNPRINTED} K is 16 in its other figures. Here K = 0 is the "
            "Gaussian posterior.",
            _SMALL,
            (
                *(
                    Point(
                        _flow(flows, _PAPERS_BETA), _OBJECTIVES["bound"], flows
                    )
                    for flows in _FLOWS
                ),
                *(
                    Point(
                        _flow(flows, _PAPERS_BETA, "printed"),
                        _OBJECTIVES["printed"],
                        flows,
                    )
                    for flows in (0, 16)
                ),
            ),
            f"K (--flows), beta = {_PAPERS_BETA}",
            _METRICS,
            last=_LAST,
        ),
    ),
    _DATASETS,
    (
        "Protocol of the paper: each click of a test session but the first is "
        "to be found among all items, by the clicks before it.",
    ),
)
