"""The check at the end of a freeze, and what a user sees of one that fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import typer

from compressnet.commands.console import guarded
from compressnet.errors import CodecError, CompressnetError, DefectError, FormatError, InputError
from compressnet.networks.program import Program
from compressnet.training.freeze.check import check_frozen
from compressnet.training.freeze.lossy import freeze
from compressnet.training.lossy.design import OVERVIEW
from compressnet.training.lossy.networks.model import Model
from make_conformance import SMALL, blobs

DESIGN = replace(OVERVIEW, widths=SMALL, log_lambda=(1.6, 5.5, 0.0), origin=0)
IMAGES = blobs(200, (8, 12, 1), 3)


def new_model() -> Model:
    torch.manual_seed(0)
    model = Model((8, 12, 1), DESIGN.widths, DESIGN.lambdas()).eval()
    with torch.no_grad():
        model.gains.encode_gain += 3
        model.gains.decode_gain -= 3
    return model


def with_one_more(program: Program, output: str) -> Program:
    """The program with every bias of one node larger by half of its step."""
    nodes = []
    for node in program.nodes:
        if node.output == output:
            half = 1 << (node.arrays["shift"].astype(np.int64) - 1)
            bias = (node.arrays["bias"] + half).astype(np.int32)
            node = replace(node, arrays=dict(node.arrays) | {"bias": bias})
        nodes.append(node)
    return replace(program, nodes=tuple(nodes))


def test_the_check_of_the_freeze_notices_any_difference() -> None:
    model = new_model()
    network = freeze(model, IMAGES, (0, 99))
    assert network.encoder is not None
    bound = network.encoder.nodes[-1].arrays["bound"]
    check_frozen(model, network, IMAGES[:50], bound)

    layer = network.prior.output
    worse_prior = replace(network.prior, output=replace(layer, bias=layer.bias + (1 << layer.shift.astype(np.int32))))
    for changed, part in (
        (replace(network, encoder=with_one_more(network.encoder, "grid")), "encoder"),
        (replace(network, decoder=with_one_more(network.decoder, "pixels")), "decoder"),
        (replace(network, prior=worse_prior), "entropy model"),
    ):
        with pytest.raises(DefectError, match=rf"the frozen {part} differs from the trained one at quality \d+"):
            check_frozen(model, changed, IMAGES[:50], bound)


def test_a_failed_check_is_one_line_that_asks_for_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    model = new_model()
    network = freeze(model, IMAGES, (0, 99))
    assert network.encoder is not None
    bound = network.encoder.nodes[-1].arrays["bound"]
    other = replace(network, decoder=with_one_more(network.decoder, "pixels"))

    @guarded
    def command() -> None:
        check_frozen(model, other, IMAGES[:50], bound)

    with pytest.raises(typer.Exit) as left:
        command()
    assert left.value.exit_code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("compressnet: the frozen decoder differs from the trained one at quality 0; ")
    assert line.endswith("this is a bug of compressnet, please report it")


def test_such_a_defect_is_nobody_elses_fault() -> None:
    assert issubclass(DefectError, CompressnetError)
    assert not issubclass(DefectError, (InputError, FormatError, CodecError))
