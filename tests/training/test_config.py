import pytest

from tfrec.errors import InputError
from tfrec.training import TrainingConfig


def test_the_validation_metric_is_one_that_is_computed():
    TrainingConfig(cutoffs=(3,), validation_metric="recall@3")
    with pytest.raises(InputError, match="Did you mean 'ndcg@10'"):
        TrainingConfig(validation_metric="ncdg@10")
    with pytest.raises(InputError, match="must be one of recall@3, ndcg@3"):
        TrainingConfig(cutoffs=(3,))


def test_warm_up_belongs_to_the_cosine():
    with pytest.raises(InputError, match=r"means nothing with .*=constant"):
        TrainingConfig(warmup_epochs=1)
    with pytest.raises(InputError, match=r"below `--epochs` \(5\)"):
        TrainingConfig(
            learning_rate_schedule="cosine", warmup_epochs=5, epochs=5
        )


def test_who_validates_nothing_cannot_wait_for_a_better_number():
    assert TrainingConfig(fit_on="all").patience == 0
    for name in ("patience", "validate_every"):
        with pytest.raises(
            InputError, match=f"`--{name}` means nothing with --fit_on=all"
        ):
            TrainingConfig(fit_on="all", **{name: 3})


def test_where_and_how_long_a_run_goes_is_not_its_identity():
    one = TrainingConfig(epochs=1, run_dir="a", patience=1, verbose="bar")
    two = TrainingConfig(
        epochs=2,
        run_dir="b",
        checkpoint_minutes=1,
        divide_input="files",
        evaluation_batch_size=1,
    )
    assert one.identity() == two.identity()
    assert one.identity() != TrainingConfig(seed=1).identity()


def test_the_length_of_a_cosine_is_its_identity():
    one, two = (
        TrainingConfig(epochs=n, learning_rate_schedule="cosine")
        for n in (1, 2)
    )
    assert one.identity() != two.identity()
