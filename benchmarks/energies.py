"""Planar flows fitted to four energies in the plane, and their picture.

    python -m benchmarks.energies

Bends a standard normal by K = 2, 8 and 32 flows until it resembles the
densities exp(-U(z)) / Z of Rezende and Mohamed, Variational Inference with
Normalizing Flows (2015), section 6.1 and Table 1. For each K it prints the
variational bound that is minimised, F = E[log q_K(z_K) + U(z_K)], and in
brackets F + log Z, the KL divergence from q_K to the density: 0 is perfect.
Then it draws all of them. Needs matplotlib. In two minutes on two busy cores:

                   K = 2             K = 8            K = 32
    ring      -1.012 (0.865)    -1.820 (0.058)    -1.873 (0.005)
    wave      -1.512 (0.631)    -1.878 (0.265)    -2.139 (0.004)
    bump      -1.613 (1.089)    -2.447 (0.256)    -2.550 (0.152)
    fork      -1.475 (1.286)    -2.113 (0.648)    -2.706 (0.055)

Three of the four energies are stripes without ends, whose Z is infinite. All
get a wall: a steep quadratic outside of the square from -4 to 4 that the
paper's figure shows.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfrec.errors import InputError
from tfrec.layers.planar_flow import PlanarFlows
from tfrec.settings import Settings, setting

_EDGE = 4.0


@dataclasses.dataclass(frozen=True)
class EnergiesConfig(Settings):
    """What is fitted, and for how long."""

    flows: tuple[int, ...] = setting(
        (2, 8, 32), "Numbers K of flows.", minimum=1
    )
    steps: int = setting(4000, "Steps of training for each fit.", minimum=1)
    batch_size: int = setting(512, "Draws in a step.", minimum=1)
    learning_rate: float = setting(
        0.01, "Of Adam at first; it falls to 0 along a cosine.", above=0.0
    )
    seed: int = setting(0, "Of the first weights and all draws.")
    picture: str = setting(
        "docs/planar_flows.png", "Where the picture goes. Empty: no picture."
    )


def _square(value, width: float) -> tf.Tensor:
    return 0.5 * tf.square(value / width)


def _either(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the energy of a mixture of two densities."""
    return -tf.reduce_logsumexp(tf.stack([-one, -other]), 0)


def _wave(x: tf.Tensor) -> tf.Tensor:
    """Returns w_1 of Table 1."""
    return tf.sin(0.5 * math.pi * x)


def ring(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """U_1: a ring that is dense on two sides."""
    radius = tf.sqrt(tf.square(x) + tf.square(y) + 1e-12)
    sides = _either(_square(x - 2.0, 0.6), _square(x + 2.0, 0.6))
    return _square(radius - 2.0, 0.4) + sides


def wave(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """U_2: a wave."""
    return _square(y - _wave(x), 0.4)


def bump(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """U_3: a wave that parts and joins again."""
    parting = 3.0 * tf.exp(-_square(x - 1.0, 0.6))
    above = y - _wave(x)
    return _either(_square(above, 0.35), _square(above + parting, 0.35))


def fork(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """U_4: a wave that parts."""
    parting = 3.0 * tf.sigmoid((x - 1.0) / 0.3)
    above = y - _wave(x)
    return _either(_square(above, 0.4), _square(above + parting, 0.35))


ENERGIES = (ring, wave, bump, fork)
Energy = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def walled(energy: Energy, z: tf.Tensor) -> tf.Tensor:
    """Returns the energy at `[..., 2]`, with the wall: `[...]`."""
    beyond = tf.nn.relu(tf.abs(z) - _EDGE)
    wall = tf.reduce_sum(_square(beyond, 0.2), -1)
    return energy(*tf.unstack(z, axis=-1)) + wall


def normal(shape: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws z_0, `[n, 2]`; returns it and log q_0(z_0), `[n]`."""
    z = tf.random.normal(shape)
    return z, -tf.reduce_sum(_square(z, 1.0), -1) - math.log(2.0 * math.pi)


def fit(energy: Energy, flows: int, config: EnergiesConfig) -> PlanarFlows:
    """Returns flows that bend a standard normal into exp(-energy)."""
    keras.utils.set_random_seed(config.seed)
    layer = PlanarFlows(flows)
    layer.build((None, 2))
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(
            config.learning_rate, config.steps
        ),
        clipnorm=10.0,
    )
    optimizer.build(layer.trainable_variables)

    @tf.function
    def train():
        for step in tf.range(config.steps):
            # Flat at first, as in the paper, so that no part is left out.
            share = tf.cast(step, tf.float32) / (0.5 * config.steps)
            weight = tf.minimum(1.0, 0.1 + share)
            with tf.GradientTape() as tape:
                z, log_q = normal([config.batch_size, 2])
                z, log_det = layer(z)
                loss = tf.reduce_mean(
                    log_q - log_det + weight * walled(energy, z)
                )
            variables = layer.trainable_variables
            optimizer.apply(
                tape.gradient(loss, [v.value for v in variables]), variables
            )

    # Traced here: as a call of yet another function TensorFlow would warn.
    train.get_concrete_function()()
    return layer


def bound(energy: Energy, layer: PlanarFlows, draws: int = 100_000) -> float:
    """Returns F = E[log q_K(z_K) + U(z_K)], eq. 15 of the paper."""
    z, log_q = normal([draws, 2])
    z, log_det = layer(z)
    return float(tf.reduce_mean(log_q - log_det + walled(energy, z)))


def grid(edge: float, cells: int) -> np.ndarray:
    """Returns the centres of square cells, float32 `[cells, cells, 2]`."""
    axis = (np.arange(cells, dtype=np.float32) + 0.5) * (2 / cells) - 1
    return np.stack(np.meshgrid(edge * axis, edge * axis), -1)


def log_normaliser(energy: Energy) -> float:
    """Returns log Z, summed over cells well beyond the wall."""
    edge, cells = _EDGE + 2.0, 600
    each = tf.reduce_logsumexp(-walled(energy, tf.constant(grid(edge, cells))))
    return float(each) + 2.0 * math.log(2.0 * edge / cells)


def draw(rows: list, flows: tuple[int, ...], path: str) -> None:
    """Writes the picture.

    Args:
        rows: For each energy, itself and the fitted layers.
        flows: The K of the layers.
        path: Where to.
    """
    # Only the picture needs it, and it is no dependency of the package.
    from matplotlib.figure import Figure

    cells = tf.constant(grid(_EDGE, 200))
    gaussian = tfd.MultivariateNormalDiag(tf.zeros([2]), tf.ones([2]))
    wide, high = 1 + len(flows), len(rows)
    figure = Figure(figsize=(2.0 * wide, 2.0 * high + 0.3), layout="tight")
    axes = figure.subplots(high, wide, squeeze=False)
    for (energy, layers), row in zip(rows, axes, strict=True):
        densities = [tf.exp(-walled(energy, cells))]
        densities += [
            tfd.TransformedDistribution(gaussian, layer.bijector).prob(cells)
            for layer in layers
        ]
        for density, axis in zip(densities, row, strict=True):
            axis.imshow(density, origin="lower", cmap="viridis")
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(energy.__name__)
    for axis, title in zip(
        axes[0], ["target", *(f"K = {k}" for k in flows)], strict=True
    ):
        axis.set_title(title)
    figure.savefig(path, dpi=100)


def main() -> None:
    """Fits, prints and draws."""
    config = settings.from_flags(EnergiesConfig)
    if config.picture:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise InputError(
                "The picture needs matplotlib: pip install matplotlib, or "
                "--picture= for none."
            ) from None
    print(f"{'':6}" + "".join(f"{f'K = {k}':>18}" for k in config.flows))
    rows = []
    for energy in ENERGIES:
        print(f"{energy.__name__:6}", end="", flush=True)
        layers = []
        for k in config.flows:
            layers.append(fit(energy, k, config))
            found = bound(energy, layers[-1])
            divergence = found + log_normaliser(energy)
            print(f"{found:10.3f} ({divergence:.3f})", end="", flush=True)
        print()
        rows.append((energy, layers))
    if config.picture:
        draw(rows, config.flows, config.picture)
        print(f"in {config.picture}")


if __name__ == "__main__":
    cli.run(main, EnergiesConfig)
