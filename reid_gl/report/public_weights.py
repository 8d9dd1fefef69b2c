"""The table of public weights that are recognised by their tensors."""

from __future__ import annotations

from reid_gl.models.public_weights import BOT_SORT, PUBLIC_WEIGHTS, PublicWeights

TITLES = ("architecture", "project", "input", "resize", "mean / std", "feature", "terms", "page")
IMAGENET_NAME, HALVES_NAME = "ImageNet", "0.5 / 0.5"


def format_public_weights() -> str:
    """Format every known network in one line: its input, the feature it compares, its page and terms."""
    rows = [TITLES, *(_row(known) for known in PUBLIC_WEIGHTS)]
    name, page, terms = BOT_SORT
    (same,) = (_row(known) for known in PUBLIC_WEIGHTS if known.architecture == name)
    rows.append((name, "BoT-SORT", *same[2:6], terms, page))
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        lines.append("  ".join([*cells, row[-1]]))
    return "\n".join(lines)


def _row(known: PublicWeights) -> tuple[str, ...]:
    size = f"{known.height} x {known.width}" if known.height else "of its file"
    return (
        known.architecture,
        known.project,
        size,
        known.kernel.replace("antialiased_", "PIL "),
        HALVES_NAME if known.colors[0] == known.colors[1] else IMAGENET_NAME,
        known.feature.replace("_", " "),
        known.terms,
        known.page,
    )
