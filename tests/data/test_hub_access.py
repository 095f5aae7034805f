"""Who is let in to a hub, with which token, to which revision; what names mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from photomend.core import PhotomendError
from photomend.data.preparation.hub import HubDataset
from photomend.data.preparation.hub_stream import HubStream
from photomend.data.preparation.prepare import prepare

from .hub_helpers import PETS, encoded, photos, write_parquet
from .hub_server import COMMIT, Hub, use_hub

pytestmark = pytest.mark.slow  # whole preparations from a server


def test_a_gated_dataset(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "hub" / "ILSVRC" / "imagenet-1k", {"train": 6, "validation": 2})
    hub.gated.add("ILSVRC/imagenet-1k")
    page = f"{hub.url}/datasets/ILSVRC/imagenet-1k"
    with pytest.raises(PhotomendError, match=rf"{page}; then put an access token .* variable MY_TOKEN$"):
        HubDataset("imagenet-10", "MY_TOKEN")
    monkeypatch.setenv("MY_TOKEN", "hf_wrong")
    with pytest.raises(
        PhotomendError, match=rf"{page}; the account of the token in MY_TOKEN has no access to it"
    ) as error:
        HubDataset("imagenet-10", "MY_TOKEN")
    assert "hf_wrong" not in str(error.value)
    monkeypatch.setenv("MY_TOKEN", hub.token)
    prepare(HubStream(HubDataset("imagenet-10", "MY_TOKEN")), tmp_path / "out", side=64)
    for path in (path for root in ("out", "cache") for path in (tmp_path / root).rglob("*") if path.is_file()):
        assert hub.token.encode() not in path.read_bytes()


def test_a_token_read_from_a_file(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line's end or blanks around it are no part of it: the client would show it when it refuses it."""
    write_parquet(tmp_path / "hub" / PETS)
    hub.gated.add(PETS)
    monkeypatch.setenv("MY_TOKEN", f" {hub.token}\n")
    assert len(HubDataset("oxford-pets", "MY_TOKEN").splits) == 2


@pytest.mark.parametrize("token", ["hf_se\ncret", "hf_se cret", "hf_secrét", "hf_se\x07cret"])
@pytest.mark.parametrize("served", [False, True])
def test_what_can_not_be_a_token(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, served: bool
) -> None:
    write_parquet(tmp_path / "hub" / PETS)
    monkeypatch.setenv("MY_TOKEN", token)
    with pytest.raises(PhotomendError, match=r"^the environment variable MY_TOKEN holds blanks or") as error:
        HubDataset("oxford-pets" if served else str(tmp_path / "hub" / PETS), "MY_TOKEN")
    assert "hf_se" not in str(error.value)
    assert not hub.requests


def test_no_token_but_the_one_that_is_named(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "hub" / PETS)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert HubStream(HubDataset("oxford-pets", "MY_TOKEN")).hub.revision == COMMIT
    assert len(photos(HubStream(HubDataset("oxford-pets", "MY_TOKEN")))) == 16
    assert hub.authorizations == {None}
    hub.gated.add(PETS)
    with pytest.raises(PhotomendError, match=r"then put an access token .* variable MY_TOKEN$"):
        HubDataset("oxford-pets", "MY_TOKEN")


def test_a_token_is_never_in_a_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_parquet(tmp_path / "set")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    dataset = HubDataset(str(tmp_path / "set"))
    assert dataset.reason(ValueError("https://hub?token=hf_secret\nrefused")) == "https://hub?token=*** refused"
    monkeypatch.setenv("HF_TOKEN", "hf_a\\b'c/d")
    dataset = HubDataset(str(tmp_path / "set"))
    for shown in ("hf_a\\b'c/d", repr(b"hf_a\\b'c/d"), "hf_a%5Cb%27c/d", "hf_a%5Cb%27c%2Fd"):
        assert "***" in dataset.reason(ValueError(shown))
        assert "c/d" not in dataset.reason(ValueError(shown))


def test_hubs_that_do_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    hub.broken_after = 0
    with pytest.raises(PhotomendError, match=r"hub:oxford-pets: the hub doesn't answer at .*; check the network"):
        HubDataset("oxford-pets")
    use_hub("http://127.0.0.1:9", tmp_path, monkeypatch)
    with pytest.raises(PhotomendError, match=r"the hub doesn't answer at http://127.0.0.1:9 \(.*hub:FOLDER$"):
        HubDataset("oxford-pets")


def test_a_folder_of_plain_photos(tmp_path: Path) -> None:
    (tmp_path / "set" / "cat").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "set" / "cat" / f"{number}.jpg").write_bytes(encoded(number))
    with pytest.raises(PhotomendError, match=r"parquet or webdataset is read; for a folder of photos use folder:DIR$"):
        HubDataset(str(tmp_path / "set"))


@pytest.mark.parametrize("name", ["oxford-pets", PETS])
def test_revisions(hub: Hub, tmp_path: Path, name: str) -> None:
    write_parquet(tmp_path / "hub" / PETS)
    older = "f" * 40
    assert HubDataset(name).revision == COMMIT
    assert HubDataset(name, revision=older).revision == older
    dataset = HubDataset(f"{name}@{older}", revision=COMMIT)
    assert (dataset.revision, dataset.label, dataset.origin) == (older, f"hub:{name}", f"hub:{name}@{older}")
    assert len(photos(HubStream(dataset))) == 16


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("oxford-pet", "neither OWNER/NAME on the hub, nor a folder, nor a preset; did you mean 'oxford-pets'?"),
        ("a/b/c/d", "neither OWNER/NAME"),
        (
            "nobody/nothing",
            r"the hub has no dataset nobody/nothing, or keeps it private \(there is no token in HF_TOKEN\)",
        ),
    ],
)
def test_names_that_mean_nothing(hub: Hub, name: str, message: str) -> None:
    with pytest.raises(PhotomendError, match=message):
        HubDataset(name)


@pytest.mark.parametrize("commit", ["../../../elsewhere", "/dev/zero", "x" * 5000, "A" * 40, ""])
def test_a_commit_that_is_no_hash_is_refused(hub: Hub, tmp_path: Path, commit: str) -> None:
    """The client would write to a file of that name in its cache."""
    write_parquet(tmp_path / "hub" / PETS)
    hub.commit = commit
    with pytest.raises(PhotomendError, match="it calls a commit '") as error:
        HubDataset("oxford-pets")
    assert len(str(error.value)) < 600
    assert not (tmp_path / "cache").exists()
