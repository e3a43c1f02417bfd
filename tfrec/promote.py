"""Exports a run if it is not worse than what is served, and fits.

    # A first deployment: nothing to compare with.
    python -m tfrec.promote --candidate=runs/monday --label=stable

    # The next: compared with the stable version, and with bounds.
    python -m tfrec.promote --candidate=runs/tuesday \\
        --against=export/models/acvae --max_latency_ms=20 --max_size_mb=100 \\
        --label=canary

    # The canary did well.
    python -m tfrec.promote --label=stable \\
        --candidate=export/models/acvae/20251122231500

Refuses, in one line and with exit status 1, a candidate that is worse on the
same test, whose SavedModel answers otherwise than the run, or that exceeds a
bound; nothing is left behind then. Worse: the 95% interval of the difference,
over the same users, is below 0. Latency is that of single requests in this
process, without a network. The version has a card, assets.extra/card.json, and
the ranks of its test, with which the next candidate is compared. --label edits
models.config, which TensorFlow Serving reads, and tfrec.serve with
--model_config_file.
"""

from tfrec import cli, settings
from tfrec.promotion.config import PromotionConfig
from tfrec.serving.config import DestinationConfig


def main() -> None:
    """Promotes as the flags say."""
    config = settings.from_flags(PromotionConfig)
    destination = settings.from_flags(DestinationConfig)
    # Only here, so that help and errors need not wait for TensorFlow.
    import tensorflow as tf

    from tfrec.promotion.card import CARD, EXTRA
    from tfrec.promotion.incumbent import is_version
    from tfrec.promotion.promoting import promote

    # An export for any processor is traced on the one that all have.
    tf.config.set_visible_devices([], "GPU")
    promoted = promote(config, destination)
    version = promoted.version
    if promoted.difference:
        print(f"{promoted.difference}: not worse.")
    else:
        print("Compared with nothing: no `--against`.")
    if promoted.index:
        print(promoted.index)
    print(
        f"{promoted.latency.requests} requests, one by one: half take up to "
        f"{promoted.latency} ({_bound(config.max_latency_ms, 'ms')})."
    )
    print(f"{promoted.size_mb:.1f} MB ({_bound(config.max_size_mb, 'MB')}).")
    if not is_version(config.candidate):
        print(f"Answers as {config.candidate} does: {version}")
    print(f"Its card: {version / EXTRA / CARD}")
    for label, number in sorted(promoted.labels.items()):
        print(f"{label}: version {number} of {version.parent.name}")


def _bound(most: float | None, unit: str) -> str:
    return "no bound" if most is None else f"at most {most:g} {unit}"


def run() -> None:
    """Runs the command."""
    cli.run(main, PromotionConfig, DestinationConfig)


if __name__ == "__main__":
    run()
