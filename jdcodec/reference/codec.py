"""What the systems with a bitstream share: tables that follow the weights, and hyperlatents' coding."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .backend import EntropyBottleneck, GaussianConditional, get_scale_table
from .base import ReferenceModel
from .rans import Tables, forget_tables


class Codec(ReferenceModel):
    """A system whose `compress` range-codes. Entropy tables are made when first needed after training."""

    def __init__(self) -> None:
        super().__init__()
        self._tables_are_current = False
        self.register_load_state_dict_post_hook(Codec._weights_changed)  # type: ignore[no-untyped-call]

    def train(self, mode: bool = True) -> Codec:
        if mode:
            self._tables_are_current = False
        super().train(mode)
        return self

    def prepare(self) -> None:
        """Make the entropy tables, unless they are those of the weights."""
        if not self._tables_are_current:
            self._make_tables()
            self._tables_are_current = True

    def _make_tables(self) -> None:
        raise NotImplementedError

    def _weights_changed(self, incompatible_keys: Any) -> None:
        self._tables_are_current = False


class HyperCodec(Codec):
    """A codec whose latents' distributions are predicted from range-coded hyperlatents.

    compressai trains the quantiles of its bottleneck by an auxiliary loss. They only say where hyperlatents
    are rounded to and where tables end, so here they are computed with the tables, and no loss needs them.
    """

    multiple = 64
    string_count = 2

    def __init__(self, hyper_channels: int, conditional: GaussianConditional) -> None:
        super().__init__()
        self.bottleneck: Any = EntropyBottleneck(hyper_channels)
        self.bottleneck.quantiles.requires_grad_(False)
        self.conditional: Any = conditional
        forget_tables(self)

    def _make_tables(self) -> None:
        self.bottleneck.update(force=True, update_quantiles=True)
        self.conditional.update_scale_table(get_scale_table(), force=True)
        self.latent_tables = Tables.of(self.conditional)

    def _hyperlatents(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(z_hat, likelihood), both (B, N, h, w): with noise while training, else rounded."""
        if not self.training:
            self.prepare()
        z_hat, likelihood = self.bottleneck(z)
        return z_hat, likelihood

    def _code_hyperlatents(self, z: Tensor) -> tuple[bytes, Tensor]:
        """Hyperlatents (1, N, h, w) to (string, what the decoder will make of it)."""
        self.prepare()
        string = self.bottleneck.compress(z)[0]
        return string, self._decode_hyperlatents(string, z.shape[2], z.shape[3])

    def _decode_hyperlatents(self, string: bytes, height: int, width: int) -> Tensor:
        """(1, N, height, width) in hyperlatent sites."""
        self.prepare()
        z_hat: Tensor = self.bottleneck.decompress([string], (height, width))
        return z_hat

    def _table_indexes(self, scales: Tensor) -> Tensor:
        indexes: Tensor = self.conditional.build_indexes(scales)
        return indexes
