"""Competing priors: the cheapest wins, its index is paid for, and dead priors come back to life."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from .systems import narrow, needs_compressai, pictures

pytestmark = needs_compressai


def _separated(count: int = 4, channels: int = 3) -> torch.nn.Module:
    """Priors whose medians lie at 0, 10, 20, …: which one is cheapest is plain to see."""
    from jdcodec.reference.priors import CompetingPriors

    torch.manual_seed(0)
    priors = CompetingPriors(channels, count)
    with torch.no_grad():
        for h, b in zip(priors.h, priors.b):
            h.fill_(math.log(math.expm1(1.0)))
            b.zero_()
        for a in priors.a:
            a.zero_()
        priors.b[-1].copy_(-10.0 * torch.arange(count)[:, None].expand(count, channels))
    return priors


def _values(*medians: float, channels: int = 3) -> Tensor:
    return torch.tensor(medians)[:, None].expand(len(medians), channels)


def test_the_cheapest_prior_is_chosen_and_looked_up_alike() -> None:
    priors = _separated().eval()
    values = _values(21.0, -1.0, 29.0, 10.0)
    assert priors.compete(values).tolist() == [2, 0, 3, 1]
    bits = -torch.log2(priors.probabilities())
    torch.testing.assert_close(priors.lookup_costs(bits, values), priors.costs(values))


def test_likelihoods_are_those_of_a_distribution() -> None:
    model = narrow("manypriors")
    probabilities = model.priors.probabilities()
    assert probabilities.shape == (8, 24, 255)
    torch.testing.assert_close(probabilities.sum(2), torch.ones(8, 24), atol=1e-4, rtol=0)


def test_a_likelihood_far_out_keeps_its_digits() -> None:
    # Logistic of scale one: P(15 ± 1/2) = sigmoid(-14.5) - sigmoid(-15.5); the difference of two numbers
    # close to one would have no digits left in float32.
    exact = 1 / (1 + math.exp(14.5)) - 1 / (1 + math.exp(15.5))
    with torch.no_grad():
        assert float(_separated().likelihood(_values(15.0), 0)[0, 0]) == pytest.approx(exact, rel=1e-5)


def test_a_likelihood_at_the_very_middle_is_not_lost() -> None:
    # The two logits add up to zero there.
    with torch.no_grad():
        assert float(_separated().likelihood(_values(0.0), 0)[0, 0]) == pytest.approx(math.tanh(0.25))


def test_a_dead_prior_is_given_the_costliest_site() -> None:
    from jdcodec.reference.priors import PATIENCE

    priors = _separated().train()
    values = _values(*[0.0] * 10, *[10.0] * 10, 23.0)  # priors 0 to 2 are used, 3 never is
    for _ in range(PATIENCE):
        assert priors.compete(values).tolist() == [0] * 10 + [1] * 10 + [2]
    assert priors.compete(values).tolist() == [0] * 10 + [1] * 10 + [3]
    assert int(priors.idle_steps[3]) == PATIENCE + 1
    priors.eval()
    assert priors.compete(values).tolist()[-1] == 2


def test_revival_takes_a_tenth_of_the_sites_at_most() -> None:
    priors = _separated(count=16).train()
    priors.idle_steps.fill_(1000)
    values = _values(*[0.0] * 30)
    chosen = priors.compete(values)
    assert int((chosen != 0).sum()) == 3


def test_the_index_costs_its_bits() -> None:
    model = narrow("manypriors").eval()
    with torch.no_grad():
        likelihood = model(pictures(2, 3, 40, 64)).likelihoods["index"]
    assert likelihood.shape == (2, 1, 3, 4)
    assert float(-torch.log2(likelihood).sum()) == pytest.approx(2 * 12 * math.log2(8))
    assert model.priors.index_bits == 3


def test_symbols_beyond_the_tables_survive() -> None:
    from jdcodec.reference.priors import RANGE

    tables = narrow("manypriors").priors.tables()
    symbols = torch.tensor([0, RANGE + 1, -RANGE - 1, 5000, -5000, 3])
    rows = torch.tensor([0, 1, 2, 3, 4, 5])
    assert tables.decode(tables.encode(symbols, rows), rows).tolist() == symbols.tolist()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_string_of_few_symbols_survives(count: int) -> None:
    # With fewer than four, compressai's encoder writes outside its buffer.
    tables = narrow("manypriors").priors.tables()
    symbols, rows = torch.arange(count) - 2, torch.arange(count)
    for _ in range(20):
        string = tables.encode(symbols, rows)
        assert tables.decode(string, rows).tolist() == symbols.tolist()
