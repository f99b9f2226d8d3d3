"""Systems are found by name; nothing heavy is imported before one is built."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jdcodec.errors import ModelError
from jdcodec.reference import architectures, build, find

from .systems import NARROW, SYSTEMS, narrow


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_tests_know_every_system() -> None:
    assert list(NARROW) == list(architectures())


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_name_builds_in_training_mode(name: str) -> None:
    model = narrow(name)
    assert model.training
    assert model.channels == (1 if name.endswith("-gray") else 3)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="unknown architecture 'manyprior': did you mean manypriors"):
        find("manyprior")
    with pytest.raises(ModelError, match="known: manypriors, hyperprior"):
        build("zzz")


def test_the_package_imports_neither_torch_nor_compressai() -> None:
    loaded = _python(
        "import sys, jdcodec.reference as r; r.architectures(); "
        "print([n for n in ('torch', 'compressai', 'torchvision') if n in sys.modules])"
    )
    assert loaded == "[]"


def test_without_compressai_denoisers_build_and_codecs_say_what_to_install() -> None:
    answer = _python(
        "import sys; sys.modules['torchvision'] = sys.modules['compressai'] = None\n"
        "from jdcodec.errors import ModelError\n"
        "from jdcodec.reference import build\n"
        "build('unet', width=2); build('residual-gray', width=2)\n"
        "try:\n    build('manypriors')\n"
        "except ModelError as error:\n    print(error)"
    )
    assert "pip install 'jdcodec[reference]'" in answer
