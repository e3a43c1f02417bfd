import numpy as np
import pytest

from tfrec.errors import InputError
from tfrec.serving.servable import Servable
from tfrec.serving.verification import verify


@pytest.fixture(scope="module")
def loaded(exported):
    """A run of ACVAE, its export, loaded, and the expected popularity."""
    run, version = exported
    servable = Servable("acvae", 1, version)
    none = {"history": np.zeros([1, 0], object)}
    none["candidates"] = np.array([run.data.vocabulary.items], object)
    answer = servable.run(servable.signature("score"), none, ["scores"])
    yield run, servable, answer["scores"][0]
    servable.close()


def test_an_export_answers_as_its_model(loaded):
    run, servable, popularity = loaded
    verify(servable, run, popularity)


def test_popularity_counts_the_training_items(loaded):
    # Items 1 to 5 and 12 occur; the others count as half an occurrence.
    counts = np.full(12, 0.5)
    counts[[0, 1, 2, 3, 4, 11]] = [1, 5, 2, 2, 1, 1]
    expected = np.log(counts / counts.sum())
    np.testing.assert_allclose(loaded[2], expected, atol=1e-3)
    np.testing.assert_allclose(np.exp(loaded[2]).sum(), 1.0, rtol=1e-5)


class Disturbed:
    """A servable with an error in one output of one signature."""

    def __init__(self, servable, name, output):
        self.servable = servable
        self.wrong = servable.signature(name)
        self.output = output

    def signature(self, name):
        return self.servable.signature(name)

    def run(self, signature, inputs, outputs):
        answer = self.servable.run(signature, inputs, outputs)
        if signature is self.wrong:
            row = answer[self.output][7]
            row[:2] = row[1::-1] if self.output == "items" else row[:2] + 2e-4
        return answer


@pytest.mark.parametrize(
    ("signature", "output"),
    [
        ("serving_default", "items"),
        ("serving_default", "scores"),
        ("score", "scores"),
        ("among", "items"),
        ("encode", "latent"),
        ("sample", "items"),
        ("sample", "scores"),
    ],
)
def test_a_small_error_is_noticed(signature, output, loaded):
    run, servable, popularity = loaded
    disturbed = Disturbed(servable, signature, output)
    with pytest.raises(RuntimeError, match=f"{signature}, a history of 7"):
        verify(disturbed, run, popularity)


def test_another_popularity_is_noticed(loaded):
    run, servable, popularity = loaded
    with pytest.raises(RuntimeError, match="a history of 0 items"):
        verify(servable, run, popularity + 1e-3)


def test_scores_that_are_not_finite_are_refused(loaded):
    run, servable, popularity = loaded
    bias = run.model.item_logits.bias
    before = bias.numpy()
    bias.assign(np.where(np.arange(12) == 3, -np.inf, before))
    try:
        with pytest.raises(InputError, match="not finite"):
            verify(servable, run, popularity)
    finally:
        bias.assign(before)
