"""What collections take without loss, in every rival and in compressnet, as a Markdown table.

    python benchmarks/make_collections.py FOLDER
    python benchmarks/lossless.py FOLDER [--form 300] [--only NAME ...] [--again own|all]

Each collection FOLDER/NAME/FORM is measured once, and the figures kept in FOLDER/results. What is
there is used again, but for `--again own`, which measures compressnet alone, or `--again all`.
Cells are bytes an image; the fewest are bold, `-` is what a rival cannot hold, and `*` follows
what did not come back exactly. Times are means over the collections, in ms an image.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("RAYON_NUM_THREADS", "1")  # oxipng, like all others, on one thread

from make_collections import COLLECTIONS, Made

from compressnet.bench.mixed import own_rows, run_mixed
from compressnet.bench.rivals.lossless.family import lossless_rivals
from compressnet.bench.rivals.lossless.stacks import Stacks, make_stacks
from compressnet.images import Reading, open_collection

Row = dict[str, Any]


def measure(folder: Path, results: Path, again: str | None) -> list[Row]:
    """The rows of one collection, measured or as they were kept."""
    kept = {"own": results / f"{folder.parent.name}.own.json", "rivals": results / f"{folder.parent.name}.json"}
    rows: list[Row] = []
    stacks: Stacks | None = None
    for part, path in kept.items():
        if again == "all" or again == part or not path.exists():
            if stacks is None:
                stacks = make_stacks(open_collection(folder, Reading(deep=True, labels=False)).batches())
            chosen, own = ([], own_rows(stacks, None)) if part == "own" else (lossless_rivals(), [])
            result = run_mixed(stacks, folder.parent.name, chosen, own, partial(tell, folder.parent.name))
            path.write_text(json.dumps(result.as_json(), indent=1) + "\n")
            for line in result.left_out if part == "rivals" else ():
                print(f"{folder.parent.name}: {line}", file=sys.stderr)
        rows += json.loads(path.read_text())["rows"]
    return rows


def tell(name: str, done: int, total: int, title: str) -> None:
    """Progress on stderr."""
    print(f"{name}: {done}/{total} {title}", file=sys.stderr, flush=True)


def table(measured: Sequence[tuple[Made, list[Row]]]) -> str:
    """Markdown: a row for each codec and layout, a column for each collection."""
    places = {made.name: {(row["name"], row["layout"]): row for row in rows} for made, rows in measured}
    fewest = {name: least(rows.values()) for name, rows in places.items()}
    keys = list(dict.fromkeys(key for rows in places.values() for key in rows))

    def means(key: tuple[str, str], what: str) -> float:
        found = [rows[key] for rows in places.values() if key in rows]
        return sum(1e3 * row[what] / row["images"] for row in found) / len(found)

    def share(key: tuple[str, str]) -> float:
        found = [rows[key]["bytes_per_image"] / fewest[name] for name, rows in places.items() if key in rows]
        return sum(found) / len(found)

    lines = [
        f"| codec | layout | {' | '.join(places)} | codes, ms | reads, ms |",
        f"| --- | --- |{' --- |' * (len(places) + 2)}",
    ]
    for key in sorted(keys, key=share):
        cells = [cell(rows.get(key), fewest[name]) for name, rows in places.items()]
        times = [f"{means(key, what):.2f}" for what in ("encode_s", "decode_s")]
        lines.append(f"| {' | '.join([*key, *cells, *times])} |")
    return "\n".join(lines)


def least(rows: Iterable[Row]) -> float:
    """The fewest bytes an image among rows that are exact."""
    return min((row["bytes_per_image"] for row in rows if row["exact"]), default=math.inf)


def cell(row: Row | None, fewest: float) -> str:
    """Bytes an image."""
    if row is None:
        return "-"
    text = f"{row['bytes_per_image']:.1f}{'' if row['exact'] else '*'}"
    return f"**{text}**" if row["exact"] and row["bytes_per_image"] == fewest else text


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Lossless codecs on collections of small pictures.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--form", default="300", choices=["300", "whole"])
    parser.add_argument("--only", nargs="+", choices=[made.name for made in COLLECTIONS])
    parser.add_argument("--again", choices=["own", "all"])
    chosen = parser.parse_args(arguments)
    results = chosen.folder / "results" / chosen.form
    results.mkdir(parents=True, exist_ok=True)
    measured = [
        (made, measure(chosen.folder / made.name / chosen.form, results, chosen.again))
        for made in COLLECTIONS
        if chosen.only is None or made.name in chosen.only
    ]
    print(table(measured))


if __name__ == "__main__":
    main()
