"""A transformer learns to write names of places, character by character: it reads those of the world's time zones, in
a table that is in the public domain and comes with the package tzdata."""

import math
from importlib.resources import files

import torch
from photomend.core import Array, Module, Tensor, permute
from photomend.layers import GELU, Embedding, LayerNorm, Linear, MultiheadAttention, Sequential, cross_entropy
from photomend.train import fit

TABLE = files("tzdata").joinpath("zoneinfo/zone.tab").read_text(encoding="utf-8")
NAMES = [line.split("\t")[2] + "\n" for line in TABLE.splitlines() if not line.startswith("#")]
ALPHABET, CONTEXT = sorted(set("".join(NAMES))), 32  # the characters that there are, and how many it sees at most


class Block(Module):
    """Every character looks at itself and those before it; then a small network thinks about each alone."""

    def __init__(self, width: int, heads: int) -> None:
        self.norm1, self.norm2 = LayerNorm(width), LayerNorm(width)
        self.attention = MultiheadAttention(width, heads, batch_first=True)
        self.mlp = Sequential(Linear(width, 4 * width), GELU(), Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(*[self.norm1(x)] * 3, is_causal=True, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Transformer(Module):
    """Characters (N, L) to the scores of what follows each, (N, alphabet, L)."""

    def __init__(self, width: int = 64, heads: int = 4, depth: int = 2) -> None:
        self.characters, self.places = Embedding(len(ALPHABET), width), Embedding(CONTEXT, width)
        self.blocks = Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.scores = LayerNorm(width), Linear(width, len(ALPHABET))

    def forward(self, codes: Array) -> Tensor:
        x = self.blocks(self.characters(codes) + self.places(torch.arange(codes.shape[1])))
        return permute(self.scores(self.norm(x)), dims=(0, 2, 1))


def main(steps: int = 400) -> float:
    torch.manual_seed(0)
    codes = torch.tensor([ALPHABET.index(c) for i in torch.randperm(len(NAMES)) for c in NAMES[i]])
    parts = [part.unfold(0, CONTEXT + 1, 1) for part in codes.split(9 * len(codes) // 10 + 1)]
    data, held_out = ((windows[:, :-1], windows[:, 1:]) for windows in parts)
    model = Transformer()
    history = fit(model, data, cross_entropy, steps=steps, lr=3e-3, schedule="cosine", validation_data=held_out)
    bits: float = history.validation[-1]["val_loss"] / math.log(2)
    written = codes[:CONTEXT]
    for _ in range(200):
        chances = model(written[None, -CONTEXT:]).data[0, :, -1].softmax(dim=0)
        written = torch.cat([written, chances.multinomial(1)])
    print(f"characters: {bits:.2f} bits each in new names;", "".join(ALPHABET[c] for c in written[CONTEXT:]))
    return bits


if __name__ == "__main__":
    main()
