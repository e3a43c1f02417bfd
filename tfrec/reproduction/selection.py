"""Which parts of a plan are asked for, and what must be trained for them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tfrec.errors import InputError, nearest_names
from tfrec.reproduction.plan import Job, Part, Plan


def select(
    plan: Plan, only: Iterable[str], configs: Path
) -> tuple[list[Part], list[Job]]:
    """Chooses parts of a plan.

    Args:
        plan: The plan.
        only: Names of parts, datasets, models and variants, joined by colons:
            "table2", "sasrec", "table2:ml_latest:sasrec". Empty: everything.
        configs: The folder of flagfiles.

    Returns:
        The parts of which something was chosen, and the jobs, each once.

    Raises:
        InputError: If a choice is nothing of the plan.
    """
    wanted = [entry.split(":") for entry in only]
    met = [False] * len(wanted)

    def chosen(address: Sequence[str]) -> bool:
        hits = [_within(entry, address) for entry in wanted]
        met[:] = [a or b for a, b in zip(met, hits, strict=True)]
        return any(hits) or not wanted

    parts, jobs, names = [], {}, set()
    for part in plan.parts:
        addressed = list(part.jobs(configs))
        found = [a.job for a in addressed if chosen(a.address)]
        names.update(name for a in addressed for name in a.address)
        names.add(part.name)
        # A part that trains nothing, or of which no flagfile is there.
        if found or chosen((part.name,)):
            parts.append(part)
        jobs.update((job.name, job) for job in found)
    shown = ", ".join(sorted({part.name for part in plan.parts}))
    for entry, hit in zip(wanted, met, strict=True):
        if not hit:
            unknown = next((n for n in entry if n not in names), entry[-1])
            raise InputError(
                f"`--only` must name parts of {plan.paper} ({shown}), their "
                "datasets, models or settings, joined by colons: table2:acvae. "
                f"Received: {':'.join(entry)}.{nearest_names(unknown, names)}"
            )
    return parts, list(jobs.values())


def _within(entry: Sequence[str], address: Sequence[str]) -> bool:
    """Returns whether the names of a choice come in an address, in order."""
    rest = iter(address)
    return all(name in rest for name in entry)
