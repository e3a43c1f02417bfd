"""What each unit of a latent carries."""

import numpy as np

from tfrec.charts import Series, histogram, scatter
from tfrec.training.diagnostics import ACTIVE_VARIANCE, LatentDiagnostics
from tfrec.training.run import Run
from tfrec.web_page import heading, note

_SEQUENCES = 128


def latents(run: Run) -> list[str]:
    """Returns the active units of the latent, and the KL of each.

    Args:
        run: The run.
    """
    parts = [heading("Latents")]
    latent = run.model.latent()
    if latent is None:
        return [*parts, note(f"{run.config.model} has no latent.")]
    if not run.data.manifest.splits["validation"]["records"]:
        return [
            *parts,
            note("Not measured: the dataset has no validation histories."),
        ]
    look = LatentDiagnostics(
        latent, run.model.config.max_length, run.data, _SEQUENCES
    )
    activity, kl = look.units()
    order = np.argsort(-kl, kind="stable")
    units = list(range(1, len(kl) + 1))
    active = int((activity > ACTIVE_VARIANCE).sum())
    return [
        *parts,
        note(
            f"{active} of {len(kl)} units are active: the centre of the "
            f"posterior varies by more than {ACTIVE_VARIANCE} over the "
            f"positions of {_SEQUENCES} validation histories. Their KL to the "
            f"prior is {kl.sum():.1f} nats in all, of Gaussians with the means "
            "and variances of 32 draws at each position."
        ),
        scatter(
            "KL of each unit, the largest first",
            [Series("KL", units, kl[order].tolist())],
            "unit, by its KL",
            "nats",
        ),
        histogram(
            "How much the centres of the units vary",
            np.log10(np.maximum(activity, 1e-12)).tolist(),
            "log10 of the variance of a unit's centre",
            "units",
        ),
    ]
