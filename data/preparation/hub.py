"""Datasets on the Hugging Face hub, and the presets: found, authorized and opened for streaming.

Parquet and webdataset files are read, on the hub or in a folder, through the same code of `datasets`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ...core import PhotomendError, did_you_mean


class Preset(NamedTuple):
    """A dataset by a short name: which of its splits to read, and the classes to take by label (all if none)."""

    repository: str
    splits: tuple[str, ...]
    classes: Mapping[int, str]


PRESETS = {
    "imagenet-10": Preset(
        "ILSVRC/imagenet-1k",
        ("train", "validation"),  # its test split has no labels
        {
            1: "goldfish",
            88: "macaw",
            101: "tusker",
            145: "king penguin",
            259: "Pomeranian",
            283: "Persian cat",
            321: "admiral butterfly",
            381: "spider monkey",
            387: "red panda",
            388: "giant panda",
        },
    ),
    "oxford-pets": Preset("timm/oxford-iiit-pet", ("train", "test"), {}),
}


#: What a commit is called.
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class HubDataset:
    """A dataset, opened for streaming.

    Args:
        name: a preset; a folder with parquet or webdataset files; or OWNER/NAME on the hub, OWNER/NAME/CONFIG where it
            has several configurations. For another revision than the newest, @REVISION may end all but a folder.
        token_env: the environment variable with an access token, for datasets that ask for one. The token goes to the
            hub and nowhere else. Where the variable isn't set, no other token of this machine is used.
        revision: what to read on the hub where the name doesn't say; the newest by default.

    Attributes:
        origin: what a person calls it.
        label: the same without a revision or where a folder lies.
        revision: the commit that is read; None for a folder.
        digest: changes when the files do.
        splits: its splits, by name; iterate for rows.
        classes: the preset's.

    Raises:
        PhotomendError: there is no such dataset, no access to it, or no answer; it is of another format; the variable
            holds what can't be a token.
    """

    def __init__(self, name: str, token_env: str = "HF_TOKEN", revision: str | None = None) -> None:
        import datasets

        # What it would log about an unreadable file is in the error that it raises.
        datasets.logging.set_verbosity(logging.CRITICAL)
        self.origin = f"hub:{name}"
        self._token = _token(token_env)
        preset = PRESETS.get(name.partition("@")[0])
        where: dict[str, Any]
        if preset is None and Path(name).is_dir():
            self.label = f"hub:{Path(name).resolve().name}"
            self.revision, self.digest = None, _digest(Path(name))
            where = {"path": name}
        else:
            self.label = label_of(name)
            repository, config = _parse(name) if preset is None else (preset.repository, None)
            revision = name.partition("@")[2] or revision
            self.revision = self.digest = self._commit(repository, revision, token_env)
            where = {"path": repository, "name": config, "revision": self.revision}
        try:
            splits = datasets.load_dataset(**where, streaming=True, token=self._token or False)
            self.splits: dict[str, Any] = {split: splits[split] for split in (preset.splits if preset else splits)}
        except Exception as error:  # any of three libraries may raise, as below
            raise PhotomendError(f"{self.origin}: can't be read ({self.reason(error)})") from error
        kind = next(iter(self.splits.values())).info.builder_name
        if kind not in ("parquet", "webdataset"):
            raise PhotomendError(
                f"{self.origin}: its files are of the kind {kind}; parquet or webdataset is read; "
                "for a folder of photos use folder:DIR"
            )
        self.classes = {} if preset is None else preset.classes

    def reason(self, error: Exception) -> str:
        """What a library says went wrong, in one line and without the token."""
        text = " ".join(str(error).split()) or type(error).__name__
        if self._token:
            for spelling in (self._token, repr(self._token)[1:-1], quote(self._token), quote(self._token, safe="")):
                text = text.replace(spelling, "***")
        return text[:500]

    def _commit(self, repository: str, revision: str | None, token_env: str) -> str:
        """The commit that `revision`, by default the newest, means; makes sure that it may be read."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

        hub = HfApi(token=self._token or False)
        try:
            hub.auth_check(repository, repo_type="dataset")
            commit = str(hub.dataset_info(repository, revision=revision).sha)
            if not COMMIT.fullmatch(commit):  # the client takes it for a path in its cache
                raise ValueError(f"it calls a commit {commit!r:.80}")
            return commit
        except Exception as error:  # its HTTP library, which differs between versions, has a family of its own
            if isinstance(error, GatedRepoError):
                advice = (
                    f"the account of the token in {token_env} has no access to it"
                    if self._token
                    else f"then put an access token of your account into the environment variable {token_env}"
                )
                problem = f"ask for access to {repository} on {hub.endpoint}/datasets/{repository}; {advice}"
            elif isinstance(error, RepositoryNotFoundError):
                whose = f"from the token in {token_env}" if self._token else f"(there is no token in {token_env})"
                problem = f"the hub has no dataset {repository}, or keeps it private {whose}"
            elif isinstance(error, RevisionNotFoundError):
                problem = f"{repository} has no revision {revision}"
            else:
                problem = (
                    f"the hub doesn't answer at {hub.endpoint} ({self.reason(error)}); check the network and try "
                    "again, or download the dataset's parquet files elsewhere and take hub:FOLDER"
                )
            raise PhotomendError(f"{self.origin}: {problem}") from error


def label_of(name: str) -> str:
    """How the provenance calls the dataset `name` on the hub: its revision is kept apart."""
    return f"hub:{name.partition('@')[0]}"


def _token(variable: str) -> str | None:
    """The token in the environment variable, None without one; a line end after it, as files have, is stripped."""
    token = os.environ.get(variable, "").strip()
    if not all("!" <= character <= "~" for character in token):
        raise PhotomendError(
            f"the environment variable {variable} holds blanks or characters beyond ASCII, as no access token does"
        )
    return token or None


def _parse(name: str) -> tuple[str, str | None]:
    """OWNER/NAME[/CONFIG][@REVISION] as (OWNER/NAME, CONFIG)."""
    parts = name.partition("@")[0].split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise PhotomendError(
            f"hub:{name}: neither OWNER/NAME on the hub, nor a folder, nor a preset; {did_you_mean(name, PRESETS)}"
        )
    return "/".join(parts[:2]), parts[2] if len(parts) == 3 else None


def _digest(folder: Path) -> str:
    """A fingerprint of the files in the folder without reading them."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        status = path.stat()
        digest.update(f"{path.relative_to(folder)} {status.st_size} {status.st_mtime_ns}\0".encode(errors="replace"))
    return digest.hexdigest()
