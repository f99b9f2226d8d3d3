"""Manual pages: every command and option is there, and the tools that read pages have nothing to say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from jdcodec.cli import app
from jdcodec.desktop.manual import manual_pages
from jdcodec.errors import OutputError
from tests.cli.command import jdc

ROOT = get_command(app)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man") / "man1"
    result = jdc("desktop", "man", folder)
    assert result.exit_code == 0, result.output
    return folder


def test_a_page_for_each_command(folder: Path) -> None:
    pages = {path.name for path in folder.iterdir()}
    commands = {f"jdc-{name}.1" for name in ROOT.commands}  # type: ignore[attr-defined]
    assert {"jdc.1", "jdc-desktop-install.1"} | commands <= pages


@pytest.mark.parametrize("name", ["encode", "decode", "view"])
def test_a_page_has_every_option_with_its_help(folder: Path, name: str) -> None:
    page = (folder / f"jdc-{name}.1").read_text().replace("\\-", "-")
    parameters = ROOT.commands[name].params  # type: ignore[attr-defined]
    options = [parameter for parameter in parameters if parameter.param_type_name == "option"]
    assert len(options) > 5
    for option in options:
        for spelling in option.opts + option.secondary_opts:
            assert f"\\fB{spelling}\\fR" in page
        assert option.help.encode("ascii", "ignore").decode()[:20] in page or not option.help.isascii()


def test_text_cannot_become_requests() -> None:
    other = typer.Typer()

    @other.command()
    def first() -> None:
        """.so /etc/passwd

        'tis a -dash, a back\\slash and é.
        """

    @other.command()
    def second() -> None:
        """Another."""

    page = manual_pages(get_command(other), "1")["jdc-first.1"]
    assert "\\&.so /etc/passwd" in page and "\n.so" not in page
    assert "\\&'tis a \\-dash, a back\\eslash and \\[u00E9]." in page


def test_a_build_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert '"1970-01-02"' in manual_pages(ROOT, "1")["jdc.1"]


@pytest.mark.parametrize("seconds", ["9" * 12, "9" * 30, "9" * 5000], ids=len)
def test_a_date_that_is_none(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", seconds)
    with pytest.raises(OutputError, match=r"^SOURCE_DATE_EPOCH: no date"):
        manual_pages(ROOT, "1")


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_finds_nothing(folder: Path) -> None:
    command = ["mandoc", "-Tlint", "-Wwarning", *sorted(map(str, folder.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout + done.stderr == ""


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_finds_nothing_and_shows_the_text(folder: Path) -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-P-c", str(folder / "jdc-encode.1")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    plain = re.sub(".\b", "", done.stdout)  # bold and italics are typed over
    assert "-d, --denoise 0…1|auto\n" in plain


def test_pages_that_exist_are_kept(folder: Path) -> None:
    error = jdc("desktop", "man", folder).exception
    assert "--force" in str(error)
    assert jdc("desktop", "man", folder, "--force").exit_code == 0
