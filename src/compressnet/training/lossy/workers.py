"""Several networks trained side by side, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch

from compressnet.errors import CompressnetError
from compressnet.images.kinds import Images, kind_of
from compressnet.training.common.options import Options, Progress, Report, TrainingInterrupted, checkpoint_path
from compressnet.training.lossy.design import Design
from compressnet.training.lossy.loop import Trainer
from compressnet.training.lossy.networks.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A network to train, or to refine. It can be sent to another process."""

    sets: Sequence[Images]
    """Images (N,H,W,C), for each kind."""
    output: Path
    options: Options
    design: Design
    thawed: Callable[[], Model] | None = None
    """Gives the model of a frozen network whose encoder is to be refined; without it, a new model
    is trained."""
    origin: str | None = None
    """The hash of that network."""

    def trainer(self, *, resume: bool = False) -> Trainer:
        """The job's training at its beginning; with `resume`, where its checkpoint stands."""
        torch.manual_seed(self.options.seed)
        if self.thawed is None:
            model = Model(kind_of(self.sets[0]), self.design.widths, self.design.lambdas())
        else:
            model = self.thawed()
        trainer = Trainer(self.sets, self.output, self.options, self.design, model, self.origin)
        if resume:
            trainer.load_checkpoint()
        return trainer


def run_jobs(jobs: Sequence[Job], *, resume: bool, report: Report) -> list[Trainer]:
    """Bring every job to its end; gives their trainers as they are then.

    Raises TrainingInterrupted on Ctrl-C, once all checkpoints are written, and InputError if one
    cannot begin.
    """
    trainers = [job.trainer(resume=resume) for job in jobs]
    if len(jobs) == 1:
        if jobs[0].options.threads is not None:
            torch.set_num_threads(jobs[0].options.threads)
        trainers[0].run(report)
        return trainers
    _run_side_by_side(jobs, resume, report)
    for trainer in trainers:
        trainer.load_checkpoint()
    return trainers


def _run_side_by_side(jobs: Sequence[Job], resume: bool, report: Report) -> None:
    context = multiprocessing.get_context("spawn")
    stop, messages = context.Event(), context.Queue()
    threads = max(1, (jobs[0].options.threads or torch.get_num_threads()) // len(jobs))
    workers = [context.Process(target=_work, args=(job, threads, resume, stop, messages), daemon=True) for job in jobs]
    for worker in workers:
        worker.start()
    try:
        _listen(workers, messages, report)
    except BaseException as error:
        stop.set()
        for worker in workers:
            worker.join()
        if isinstance(error, KeyboardInterrupt):
            names = " and ".join(str(checkpoint_path(job.output, job.design.name)) for job in jobs)
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
                    "a process of the training ended early, perhaps because memory ran out; "
                    "--resume goes on from the last checkpoint"
                ) from None
            continue
        if isinstance(message, Progress):
            report(message)
        elif isinstance(message, Exception):
            raise message
        else:
            left -= 1


def _work(job: Job, threads: int, resume: bool, stop: Any, messages: Any) -> None:
    """Bring a job to its end, in a process, unless told to stop or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which says stop
    torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    try:
        trainer = job.trainer(resume=resume)
        trainer.run(messages.put, lambda: stop.is_set() or (parent is not None and not parent.is_alive()))
    except TrainingInterrupted:
        return
    except Exception as error:
        messages.put(error)
        return
    messages.put(None)
