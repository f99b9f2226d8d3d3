"""compressai's range coder over tables of cumulative frequencies, and derived tables kept out of state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from .backend import EntropyModel, RansDecoder, RansEncoder, pmf_to_quantized_cdf

#: Frequencies of a table add up to 2 to this.
_PRECISION = 16

#: compressai's encoder has room for a word a symbol, needs at most half a word for each and two words at
#: the end, and writes before its buffer where that does not fit. Shorter strings repeat their last symbol.
_FEWEST_SYMBOLS = 4


@dataclass(frozen=True)
class Tables:
    """One row of cumulative frequencies a distribution; `offsets`: the symbol that a row begins with.

    The last entry of a row is an escape: symbols beyond a row's ends are coded, at some cost, too.
    """

    rows: Sequence[list[int]]
    offsets: Sequence[int]

    @classmethod
    def from_probabilities(cls, rows: Sequence[list[float]], offsets: Sequence[int]) -> Tables:
        """From the probabilities of each distribution; what they lack to one is the escape's."""
        escapes = [max(1.0 - sum(row), 2.0**-_PRECISION) for row in rows]
        cumulative = [pmf_to_quantized_cdf([*row, rest], _PRECISION) for row, rest in zip(rows, escapes)]
        return cls(cumulative, offsets)

    @classmethod
    def of(cls, model: EntropyModel) -> Tables:
        """The tables of one of compressai's entropy models, after its update."""
        lengths = model.cdf_length.tolist()
        rows = [row[:length] for row, length in zip(model.quantized_cdf.tolist(), lengths)]
        return cls(rows, model.offset.tolist())

    def _used(self, indexes: list[int]) -> tuple[list[int], list[list[int]], list[int], list[int]]:
        """Indexes into a table of only the rows that they name, and that table as the coder wants it."""
        used = sorted(set(indexes))
        place = {row: position for position, row in enumerate(used)}
        rows = [self.rows[row] for row in used]
        return (
            [place[index] for index in indexes],
            rows,
            [len(row) for row in rows],
            [self.offsets[row] for row in used],
        )

    def encode(self, symbols: Tensor, indexes: Tensor) -> bytes:
        """Integer symbols, each by the row of its index, to a string. Both of any one shape."""
        places, *table = self._used(indexes.flatten().tolist())
        values = symbols.flatten().tolist()
        missing = max(_FEWEST_SYMBOLS - len(values), 0)
        values, places = values + values[-1:] * missing, places + places[-1:] * missing
        string: bytes = RansEncoder().encode_with_indexes(values, places, *table)
        return string

    def decode(self, string: bytes, indexes: Tensor) -> Tensor:
        """Inverse of `encode`: float symbols in the shape of `indexes`."""
        decoder = self.decoder(string)
        return decoder(indexes)

    def decoder(self, string: bytes) -> Decoder:
        """For decoding a string a few symbols at a time, when later indexes depend on earlier symbols."""
        return Decoder(self, string)


class Decoder:
    """Each call decodes the symbols that come next, by the rows that `indexes` names."""

    def __init__(self, tables: Tables, string: bytes) -> None:
        self.tables = tables
        self.stream = RansDecoder()
        self.stream.set_stream(string)

    def __call__(self, indexes: Tensor) -> Tensor:
        """Float symbols in the shape of `indexes`."""
        places, *table = self.tables._used(indexes.flatten().tolist())
        symbols = self.stream.decode_stream(places, *table)
        return indexes.new_tensor(symbols).reshape(indexes.shape).float()


def forget_tables(model: nn.Module) -> None:
    """Keep the tables of compressai's entropy models out of the state dict: they follow from the weights.

    Once made, their sizes depend on the weights, and a fresh module could not load them.
    """
    for module in model.modules():
        if isinstance(module, EntropyModel):
            for name in ("_offset", "_quantized_cdf", "_cdf_length", "scale_table"):
                if hasattr(module, name):
                    module.register_buffer(name, getattr(module, name), persistent=False)
