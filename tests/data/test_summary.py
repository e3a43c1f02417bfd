from tests.data.protocols.test_next_click import session_config
from tests.data.test_preparation import make_config, make_lines
from tfrec.data import card, prepare


def test_the_card_has_counts_protocol_and_splits(tmp_path):
    lines = [*make_lines(1100, 6), "w,i0,5", "w,i0,5"]
    text = card(prepare(make_config(tmp_path, lines)))
    rows = [line.split() for line in text.splitlines()]
    assert ["raw", "log", "6,602", "1,101", "15"] in rows
    assert ["sequences", "with", ">=", "5", "6,600", "1,100", "15"] in rows
    assert "mean length 6.00, density 40.000%" in text
    assert "repeated events (equal sequence, item and time): 1, kept" in text
    assert "protocol: holdout 0.2, history excluded, 1100 users" in text
    assert ["test", "1,100", "5,500", "5"] in rows


def test_the_card_says_what_is_too_short_to_train_on(tmp_path):
    lines = ["u,a,1", "v,a,1", "v,b,2", "v,c,3"]
    config = make_config(
        tmp_path, lines, min_sequence_length=1, test_fraction=0.4
    )
    assert "too short to train on" in card(prepare(config))
    assert "1 sequences" in card(prepare(config))


def test_the_card_of_sessions_counts_clicks_to_predict(tmp_path):
    train = ["a b", "a"] * 1000
    text = card(prepare(session_config(tmp_path, train, ["a b c", "c a"])))
    rows = [line.split() for line in text.splitlines()]
    assert ["raw", "log", "3,005", "2,002", "3"] in rows
    assert ["train", "2,000", "1,000", "2"] in rows
    assert ["train", "900", "1,800", "2", "900"] in rows
    assert ["validation", "100", "200", "2", "100"] in rows
    assert ["test", "2", "5", "3", "3"] in rows
    assert (
        "protocol: next_click, history ranked, 3 clicks, 1 never seen in "
        "training" in text
    )
