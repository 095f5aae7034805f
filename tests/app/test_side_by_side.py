"""Jobs side by side: batches of what they ask for, the same answers on any number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from photomend.app import side_by_side as module
from photomend.app.side_by_side import Job, Request, in_batches, side_by_side
from photomend.models.reconstructor import Fill


class Halves:
    """Fills with half the mean of what is known; notes in which batches and threads."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: list[int] = []

    def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(masked))
        self.threads.append(torch.get_num_threads())
        return (masked.mean(dim=(1, 2, 3), keepdim=True) / 2).expand_as(masked)


def job(model: Halves, value: int, turns: int) -> Job:
    crop, missing = np.full((4, 4, 3), value / 8, np.float32), np.zeros((4, 4), bool)
    missing[0] = True
    for _ in range(turns):
        [crop] = yield [Request(model, crop, missing)]
    return crop


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(module, "cores", lambda: 2)
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_job_gets_its_own_answers(threads: int) -> None:
    model = Halves()
    works = [(value, 16, job(model, value, turns=value % 3)) for value in range(8)]
    done = dict(side_by_side(works, "cpu"))
    assert done.keys() == set(range(8))
    for value, crop in done.items():
        assert np.allclose(crop[1:], value / 8)
        if value % 3:
            assert np.allclose(crop[0], value / 8 * 3 / 8)  # a quarter of the pixels is black
    assert sorted(model.batches) == [1, 1, 2, 3]  # two second turns, and five first ones, in two batches each
    assert set(model.threads) == {1}
    assert torch.get_num_threads() == threads


class Windows(Halves):
    """A network, by what batches know of one: it looks through windows three times the hole's side."""

    def reconstruct_each(self, masked: list[torch.Tensor], masks: list[torch.Tensor]) -> list[torch.Tensor]:
        self.batches.append(len(masked))
        return [photo * 0 + mask.sum() / 100 for photo, mask in zip(masked, masks, strict=True)]

    def window_side(self, hole: int) -> int:
        return 3 * hole


def test_windows_of_one_size_make_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a batch has pixels for, however large the crops are that they are cut from."""
    monkeypatch.setattr(module, "BATCH", 8 * 15**2)
    model = Windows()

    def speck(side: int) -> Job:
        crop, missing = np.ones((200, 200, 3), np.float32), np.zeros((200, 200), bool)
        missing[90 : 90 + side, 70:72] = missing[90, 70 : 70 + side] = True
        [crop] = yield [Request(model, crop, missing)]
        return crop

    sides = [5, 30] * 16
    done = dict(side_by_side([(i, 1, speck(side)) for i, side in enumerate(sides)], "cpu"))
    assert sorted(done) == list(range(32))
    assert sorted(model.batches) == [1] * 16 + [8, 8]
    for i, side in enumerate(sides):
        assert np.allclose(done[i][90, 70], (3 * side - 2) / 100)


def test_no_more_jobs_go_on_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIXELS", 70)
    model = Halves()
    assert len(dict(side_by_side([(i, 16, job(model, 1, turns=1)) for i in range(9)], "cpu"))) == 9
    assert model.batches == [2, 2, 2, 2, 1]
    large = Halves()
    assert len(dict(side_by_side([(i, 99, job(large, 1, turns=1)) for i in range(2)], "cpu"))) == 2
    assert large.batches == [1, 1]


def test_an_error_of_a_model_gets_through_and_leaves_the_threads(threads: int) -> None:
    class Broken(Halves):
        def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(side_by_side([(0, 16, job(Broken(), 1, turns=1))], "cpu"))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 9, 16, 17, 64, 65, 100, 300])
@pytest.mark.parametrize("side", [8, 32, 80, 128, 400])
@pytest.mark.parametrize("share", [1, 2, 9])
def test_batches_are_whole_and_of_nearly_one_size(count: int, side: int, share: int) -> None:
    batches = in_batches([side**2] * count, total=share * count * side**2)
    assert [n for batch in batches for n in batch] == list(range(count))
    assert max(map(len, batches)) - min(map(len, batches)) <= 1
    assert (max(map(len, batches)) - 1) * side**2 <= module.BATCH
    assert max(map(len, batches)) <= module.CROPS
    large = count * side**2 > module.BATCH or count > module.CROPS
    assert (len(batches) > 1) == (count > 1 and (share == 1 or large))


def test_a_large_crop_among_small_ones_is_a_batch_of_its_own() -> None:
    assert in_batches([400, 400, 10**6, 400, 400], 10**6 + 1600) == [[0, 1], [2], [3, 4]]


def test_the_largest_batches_come_first_and_classical_fills_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 1)
    order: list[str] = []

    class Named(Halves):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def reconstruct(self, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            order.append(self.name)
            return super().reconstruct(masked, mask)

    class Light(Named, Fill):
        pass

    small, large, light = Named("small"), Named("large"), Light("light")
    models = [small, light, light, light, light, light, large, large, large, large]
    dict(side_by_side([(i, 16, job(model, 1, turns=1)) for i, model in enumerate(models)], "cpu"))
    assert order == ["large", "large", "small", "light", "light"]
