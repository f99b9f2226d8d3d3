"""The arrays that a network must have, told without torch, are those that it has."""

from __future__ import annotations

import dataclasses

import pytest

from jdcodec.model.config import CONFIGS, FAST, ModelConfig
from jdcodec.model.network import JointCodec
from jdcodec.model.shapes import network_shapes

from .conftest import ODD

OTHERS = {
    "odd": ODD,
    "coarse": dataclasses.replace(
        FAST,
        analysis_patch=16,
        analysis_stages=((8, 0),),
        synthesis_patch=8,
        synthesis_stages=((8, 2), (4, 1)),
    ),
    "no denoiser blocks": dataclasses.replace(FAST, stem_blocks=(0, 0)),
}


@pytest.mark.parametrize("config", [*CONFIGS.values(), *OTHERS.values()], ids=[*CONFIGS, *OTHERS])
def test_names_and_shapes_are_those_of_the_network(config: ModelConfig) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in JointCodec(config).state_dict().items()}
    assert network_shapes(config) == expected
