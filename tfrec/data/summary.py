"""The card of a prepared dataset: what it holds, in a form to read."""

from typing import Any

from tfrec.data.prepared import EVALUATION_SPLITS, PreparedDataset
from tfrec.data.sources.bad_rows import describe


def card(data: PreparedDataset) -> str:
    """Describes a prepared dataset in some lines.

    Args:
        data: What `prepare` returned.

    Returns:
        What each filter left, mean length, density, users, repeated events,
        the protocol, the splits, and how many targets the history holds.
    """
    manifest = data.manifest
    repeated = manifest.duplicates
    kept = "dropped" if manifest.settings["drop_duplicates"] else "kept"
    protocol = data.protocol
    names = [step["step"] for step in manifest.counts]
    width = max(32, 3 + max(map(len, names)))
    lines = [_row(width, manifest.source, "interactions", "sequences", "items")]
    for step in manifest.counts:
        counts = (step[n] for n in ("interactions", "sequences", "items"))
        lines.append(_row(width, f"  {step['step']}", *counts))
    users = (
        f"{data.num_users:,} users"
        if protocol.has_users
        else ("no users: each sequence is a session")
    )
    no_test = protocol.no_test
    what = f"no test ({no_test})" if no_test else data.describe("test")
    lines += [
        f"mean length {manifest.mean_length:.2f}, density "
        f"{manifest.density:.3%}, {len(data.titles):,} items with a title, "
        f"{users}",
        f"repeated events (equal sequence, item and time): {repeated:,}"
        + (f", {kept} (--drop_duplicates)" if repeated else ""),
        *([describe(manifest.bad_rows)] if manifest.bad_rows else []),
        "",
        f"protocol: {what}",
        _row(
            width,
            "",
            "sequences",
            "items",
            "longest",
            *protocol.columns(manifest.splits["test"]),
        ),
    ]
    for name, split in manifest.splits.items():
        counts = [split[n] for n in ("records", "tokens", "max_length")]
        extra = protocol.columns(split).values()
        lines.append(_row(width, f"  {name}", *counts, *extra))
    shares = ", ".join(
        f"{name} {_share(manifest.splits[name])}" for name in EVALUATION_SPLITS
    )
    lines.append(f"targets that the history holds: {shares}")
    if manifest.short_sequences:
        lines.append(
            f"too short to train on (fewer than 2 items before the test): "
            f"{manifest.short_sequences:,} sequences"
        )
    if manifest.log:
        size = sum(file["bytes"] for file in manifest.log["files"])
        lines.append(f"the log is kept, for --append: {size:,} bytes")
    if manifest.appended_to:
        lines.append(f"appended to {manifest.appended_to}")
    lines += ["", f"in {data.data_dir}, checksum {manifest.data_checksum[:16]}"]
    return "\n".join(lines)


def _share(split: dict[str, Any]) -> str:
    held, targets = split["targets_in_history"], split["targets"]
    return f"{held:,} of {targets:,} ({held / max(targets, 1):.1%})"


def _row(width: int, name: str, *values: int | str) -> str:
    cells = (f"{v:,}" if isinstance(v, int) else v for v in values)
    return f"{name:<{width}}" + "".join(f"{cell:>14}" for cell in cells)
