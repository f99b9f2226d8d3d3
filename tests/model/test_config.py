"""The sizes of a network travel in its weights file; sizes that no network can have are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jdcodec.model.config import (
    CONFIGS,
    LAMBDA_MAX,
    LAMBDA_MIN,
    ModelConfig,
    quality_to_t,
    t_to_lambda,
)

BROKEN: dict[str, Any] = {
    "hyper_width": 0,
    "hyper_channels": -3,
    "latent_channels": 769,  # a block of 16 × 16 pixels in 3 colours has 768 coefficients
    "stem_channels": [48, 10**9],
    "stem_blocks": [1, 10**6],
    "analysis_stages": [],
    "synthesis_stages": [[8, 1], [8, 1], [8, 1], [8, 1], [8, 1], [8, 1]],
    "analysis_patch": 3,
    "synthesis_patch": 0,
}

OF_ANOTHER_TYPE: dict[str, Any] = {
    "hyper_width": "128",
    "hyper_channels": 64.5,
    "latent_channels": None,
    "stem_channels": 48,
    "stem_blocks": [],
    "analysis_stages": [[48]],
    "synthesis_stages": {"48": 1},
    "analysis_patch": "4",
    "synthesis_patch": [4],
}


@pytest.mark.parametrize("name", CONFIGS)
def test_through_json_and_back(name: str) -> None:
    config = CONFIGS[name]
    read = ModelConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert read == config
    assert hash(read) == hash(config)


@pytest.mark.parametrize("table", [BROKEN, OF_ANOTHER_TYPE], ids=["value", "type"])
@pytest.mark.parametrize("field", BROKEN)
def test_a_field_that_does_not_fit(field: str, table: dict[str, Any]) -> None:
    values = CONFIGS["fast"].to_dict() | {field: table[field]}
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        ModelConfig.from_dict(values)


def test_fields_missing_or_unknown() -> None:
    values = CONFIGS["fast"].to_dict()
    with pytest.raises(ValueError, match="expected"):
        ModelConfig.from_dict(values | {"surprise": 1})
    del values["hyper_width"]
    with pytest.raises(ValueError, match="expected"):
        ModelConfig.from_dict(values)


def test_patches_and_stages_must_lead_to_the_latents() -> None:
    values = CONFIGS["best"].to_dict() | {"analysis_patch": 16, "analysis_stages": [[8, 1], [8, 1]]}
    with pytest.raises(ValueError, match="16 pixels"):
        ModelConfig.from_dict(values)


def test_quality_is_log_linear_in_lambda() -> None:
    assert (quality_to_t(1), quality_to_t(8)) == (0, 1)
    assert t_to_lambda(0) == pytest.approx(LAMBDA_MIN)
    assert t_to_lambda(1) == pytest.approx(LAMBDA_MAX)
    assert t_to_lambda(0.5) == pytest.approx((LAMBDA_MIN * LAMBDA_MAX) ** 0.5)
