"""Runs many mutations (tests/mutations.py) in child processes, and says what went wrong.

    python tests/run_mutations.py COUNT [--first SEED] [--figures FILE.json]

Wrong are: an exception that is none of compressnet's, pixels that differ between backends or in
blocks that were left alone, more than 5 seconds of processor time or 1 GB of memory for one file.
Exit code 1 where any of these happened.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import resource
import subprocess
import sys
import time
import traceback
from pathlib import Path

SECONDS, BYTES = 5, 10**9
CHILD = 500
"""Mutations of a child process."""


def child(first: int, count: int) -> None:
    """Run mutations, and print a line of JSON for each fault, and one at the end."""
    from mutations import run_mutation

    kinds = collections.Counter[str]()
    for seed in range(first, first + count):
        start = time.process_time()
        print(json.dumps({"begins": seed}), flush=True)
        try:
            kinds[run_mutation(seed)] += 1
        except Exception:
            print(json.dumps({"seed": seed, "fault": traceback.format_exc()}), flush=True)
        if (taken := time.process_time() - start) > SECONDS:
            print(json.dumps({"seed": seed, "fault": f"{taken:.1f} s"}), flush=True)
    most_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if most_bytes > BYTES:
        print(json.dumps({"seed": first, "fault": f"{most_bytes} bytes by one of {count} from here on"}), flush=True)
    print(json.dumps({"kinds": kinds, "memory": most_bytes}), flush=True)


def run(count: int, first: int) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Faults, and figures, of so many mutations."""
    faults: list[dict[str, object]] = []
    kinds, most_bytes, done = collections.Counter[str](), 0, 0
    while done < count:
        some = min(CHILD, count - done)
        command = [sys.executable, __file__, "--child", str(some), "--first", str(first + done)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=7200, env=os.environ, check=False)
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        ended = next((line for line in lines if "kinds" in line), None)
        found = [line for line in lines if "fault" in line]
        if ended is None:
            last = next(line["begins"] for line in reversed(lines) if "begins" in line)
            found.append({"seed": last, "fault": f"the process ended: {result.returncode} {result.stderr[-2000:]}"})
            some = last + 1 - first - done
        else:
            kinds.update(ended["kinds"])
            most_bytes = max(most_bytes, ended["memory"])
        for fault in found:
            print(f"{fault['seed']}: {fault['fault']}", flush=True)
        faults += found
        done += some
        print(f"{done} of {count}, {len(faults)} faults, {most_bytes >> 20} MiB", flush=True)
    return faults, {"mutations": done, "kinds": kinds, "most_bytes": most_bytes, "faults": len(faults)}


def main() -> int:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        child(options.first, options.child)
        return 0
    faults, figures = run(options.count, options.first)
    if options.figures is not None:
        options.figures.write_text(json.dumps(figures, indent=1) + "\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
