"""Train a codec: a network for low rates and one for higher rates, side by side, each in a process of its own.

images (N,H,W,C) -> a Trainer for each design -> checkpoints -> join -> NAME.codec
"""

from __future__ import annotations

import json
import multiprocessing
import queue
import signal
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.bundle import Bundle, to_bytes
from compressnet.errors import CompressnetError, InputError
from compressnet.files import atomic_write
from compressnet.training.design import Design
from compressnet.training.join import join
from compressnet.training.loop import Options, Progress, Trainer, TrainingInterrupted, checkpoint_path

__all__ = ["Options", "Progress", "TrainingInterrupted", "log_path", "train"]

Report = Callable[[Progress], None]


def log_path(output: Path) -> Path:
    """Where a training's log lies: a JSON object a line."""
    return output.with_name(output.name + ".log.jsonl")


def train(
    images_NHWC: NDArray[np.uint8],
    output: Path,
    options: Options,
    *,
    resume: bool = False,
    report: Report = lambda _: None,
) -> Bundle:
    """Train a codec on images (N,H,W,C) of one kind and write it to `output`, with a log beside it.

    Two networks are trained in two processes, which are spawned: a script that calls this needs the usual
    `if __name__ == "__main__":`. Raises InputError for images or options that cannot be trained on,
    TrainingInterrupted on Ctrl-C; checkpoints are there then, and `resume` goes on from them.
    """
    if len(images_NHWC) < options.holdout + options.batch:
        raise InputError(
            f"{len(images_NHWC)} images are too few to train on with {options.holdout} held out; "
            f"at least {options.holdout + options.batch} are needed, or a smaller --holdout"
        )
    if (options.epochs is None) == (options.minutes is None):
        raise InputError("a training needs either a number of epochs or a number of minutes")
    designs = [design for design in options.designs if _has_qualities(design, options)]
    trainers = [Trainer(images_NHWC, output, options, design) for design in designs]
    if resume:
        for trainer in trainers:
            trainer.load_checkpoint()
    with log_path(output).open("a", encoding="utf-8") as log:

        def note(progress: Progress) -> None:
            log.write(json.dumps(asdict(progress)) + "\n")
            log.flush()
            report(progress)

        if len(trainers) == 1:
            if options.threads is not None:
                torch.set_num_threads(options.threads)
            trainers[0].run(note)
        else:
            _run_side_by_side(images_NHWC, output, options, designs, resume, note)
            for trainer in trainers:
                trainer.load_checkpoint()
    bundle = join(trainers, output.name.removesuffix(".codec"))
    atomic_write(output, to_bytes(bundle))
    for design in designs:
        checkpoint_path(output, design).unlink(missing_ok=True)
    return bundle


def _has_qualities(design: Design, options: Options) -> bool:
    low, high = design.within(options.qualities)
    return low <= high


def _run_side_by_side(
    images_NHWC: NDArray[np.uint8], output: Path, options: Options, designs: list[Design], resume: bool, report: Report
) -> None:
    """Train every design to its end, each in a process."""
    context = multiprocessing.get_context("spawn")
    stop, messages = context.Event(), context.Queue()
    threads = max(1, (options.threads or torch.get_num_threads()) // len(designs))
    workers = [
        context.Process(
            target=_work,
            args=(images_NHWC, output, options, design, threads, resume, stop, messages),
            daemon=True,
        )
        for design in designs
    ]
    for worker in workers:
        worker.start()
    try:
        _listen(workers, messages, report)
    except BaseException as error:
        stop.set()
        for worker in workers:
            worker.join()
        if isinstance(error, KeyboardInterrupt):
            names = " and ".join(str(checkpoint_path(output, design)) for design in designs)
            raise TrainingInterrupted(names) from None
        raise
    for worker in workers:
        worker.join()


def _listen(workers: list[SpawnProcess], messages: Any, report: Report) -> None:
    """Pass on what the processes report, until all are done."""
    left = len(workers)
    while left:
        try:
            message = messages.get(timeout=1)
        except queue.Empty:
            if any(worker.exitcode for worker in workers):
                raise CompressnetError(
                    "a process of the training ended before its time, perhaps for want of memory; "
                    "--resume goes on from the last checkpoint"
                ) from None
            continue
        if isinstance(message, Progress):
            report(message)
        elif isinstance(message, Exception):
            raise message
        else:
            left -= 1


def _work(
    images_NHWC: NDArray[np.uint8],
    output: Path,
    options: Options,
    design: Design,
    threads: int,
    resume: bool,
    stop: Any,
    messages: Any,
) -> None:
    """What a process does: train one design to the end, or until it is told to stop or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which says stop
    torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    try:
        trainer = Trainer(images_NHWC, output, options, design)
        if resume:
            trainer.load_checkpoint()
        trainer.run(messages.put, lambda: stop.is_set() or (parent is not None and not parent.is_alive()))
    except TrainingInterrupted:
        return
    except Exception as error:
        messages.put(error)
        return
    messages.put(None)
