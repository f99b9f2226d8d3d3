"""The manifest: what it remembers, and that it takes nothing for a manifest that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jdcodec.cluster.manifest import Entry, Manifest
from jdcodec.errors import ClusterError

DONE = {"state": "done", "input": "a", "output": "o", "version": "1", "sha256": "ab", "bytes": 5, "key": "k"}
HEADER = b'{"state": "manifest", "jdc_manifest": 1}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.jsonl"


def test_the_last_line_counts_and_keeps_what_it_does_not_know(path: Path) -> None:
    with Manifest(path) as manifest:
        manifest.append([{"state": "started", "outputs": ["o", "p"]}, DONE])
        manifest.append([{"state": "refused", "output": "o", "error": "in the way"}])
    with Manifest(path) as manifest:
        assert manifest.entry("o") == Entry("done", "1", "ab", 5, "k", 0, ours=True)
        assert manifest.entry("p") == Entry("started", None, None, None, None, 0, ours=True)
        assert manifest.entry("q") is None
        manifest.append([{"state": "unchanged", "output": "o", "version": "2"}])
        assert manifest.entry("o") == Entry("unchanged", "2", "ab", 5, "k", 0, ours=True)


def test_a_failure_makes_no_output_ours(path: Path) -> None:
    with Manifest(path) as manifest:
        manifest.append([{"state": "failed", "input": "a", "output": "o", "error": "broken"}])
        entry = manifest.entry("o")
        assert entry is not None and not entry.ours


def test_two_inputs_cannot_claim_one_output(path: Path) -> None:
    with Manifest(path) as manifest:
        assert manifest.claim("o", "a") is None
        assert manifest.claim("o", "b") == "a"
        assert manifest.entry("o") is None
    with Manifest(path) as manifest:
        assert manifest.claim("o", "b") is None


def test_names_that_are_no_utf8(path: Path) -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    for _ in range(2):
        with Manifest(path) as manifest:
            manifest.append([{**DONE, "input": name, "output": name}])
            assert manifest.entry(name) is not None
    assert b"caf\xe9.png" in path.read_bytes()


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_line_that_was_cut_short_is_dropped(path: Path, cut: int) -> None:
    with Manifest(path) as manifest:
        manifest.append([DONE])
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines(keepends=True)[-1][:-cut])
    with Manifest(path) as manifest:
        assert manifest.entry("o") is not None
    assert path.read_bytes() == whole


def test_one_that_was_made_for_nothing_goes_again(path: Path) -> None:
    with Manifest(path):
        assert path.exists()
    assert not path.exists()
    with Manifest(path) as manifest:
        manifest.append([DONE])
    with Manifest(path):
        pass
    assert path.exists()


@pytest.mark.parametrize("size", [0, 1, len(HEADER) - 1])
def test_a_first_line_that_was_cut_short_is_written_again(path: Path, size: int) -> None:
    path.write_bytes(HEADER[:size])
    with Manifest(path):
        pass
    assert path.read_bytes() == HEADER


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n",
        b"a letter to a friend",
        b'{"state": "manifest", "jdc_manifest": 2}\n',
        b"[]\n",
        b"null\n",
        b"\n",
        HEADER + b"not json\n",
        HEADER + b"[1, 2]\n",
        HEADER + b'{"output": "o"}\n',
        HEADER + b'{"state": 3, "output": "o"}\n',
        HEADER + b'{"state": "done", "output": 7}\n',
        HEADER + b'{"state": "done", "output": "o", "bytes": -1}\n',
        HEADER + b'{"state": "done", "output": "o", "bytes": 99999999999999999999999}\n',
        HEADER + b'{"state": "done", "output": "o", "sha256": {"a": 1}}\n',
        HEADER + b'{"state": "started"}\n',
        HEADER + b'{"state": "started", "outputs": [1]}\n',
        HEADER + b"[" * 100_000 + b"\n",
        HEADER + b" " * (1 << 22) + b"\n",
    ],
)
def test_another_file_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ClusterError) as caught:
        Manifest(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_one_run_at_a_time(path: Path) -> None:
    with Manifest(path), pytest.raises(ClusterError, match="another run is using this manifest"):
        Manifest(path)
    with Manifest(path):
        pass


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="is no file"):
        Manifest(tmp_path)
    with pytest.raises(ClusterError, match="the manifest cannot be used: No such file or directory"):
        Manifest(tmp_path / "nowhere" / "manifest.jsonl")


def test_lines_are_json(path: Path) -> None:
    with Manifest(path) as manifest:
        manifest.append([DONE, {**DONE, "output": "größer\n"}])
    assert [json.loads(line)["state"] for line in path.read_text("utf-8").splitlines()] == [
        "manifest",
        "done",
        "done",
    ]
