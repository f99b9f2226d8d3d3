"""Small photos, the golden network, and a cluster of real processes that the tests of a session share."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from jdcodec.cluster.job import JobSettings, Order, Record, make_order
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.photo import ReadOptions, read_photo
from tests.cluster.processes import DaskCluster
from tests.conftest import PictureMaker
from tests.golden.make import WEIGHTS

if find_spec("distributed") is None:  # the extra `cluster`
    collect_ignore_glob = ["test_*.py"]

#: Photos of the tests with a real cluster; `make cluster-soak` sets 500.
PHOTOS = int(os.environ.get("JDC_CLUSTER_PHOTOS", "40"))

ENDINGS = frozenset({".png", ".jpg", ".nef"})
RunJob = Callable[..., Iterator[Record]]


@pytest.fixture(scope="session")
def order() -> Order:
    """Code with the golden network on one thread."""
    return make_order(EncodeSettings(3, 1, str(WEIGHTS), "cpu", "fp32"), ReadOptions(), frozenset())


@pytest.fixture(scope="session")
def make_photos(make_picture: PictureMaker) -> Callable[[Path, int], None]:
    """A function of (folder, count) that fills a folder, every third photo in a folder below it."""

    def make(folder: Path, count: int) -> None:
        (folder / "below").mkdir(parents=True)
        for number in range(count):
            place = folder / "below" if number % 3 == 0 else folder
            picture = make_picture(32 + number % 7, 40 + number % 5, seed=number)
            Image.fromarray(picture).save(place / f"photo-{number:03}.png")

    return make


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory, make_photos: Callable[[Path, int], None]) -> Path:
    """A folder of `PHOTOS` photos; not to be changed."""
    folder = tmp_path_factory.mktemp("cluster") / "photos"
    make_photos(folder, PHOTOS)
    return folder


@pytest.fixture(scope="session")
def expected(photos: Path, order: Order) -> dict[str, bytes]:
    """What this process alone makes of `photos`, by place below the output folder."""
    return {
        str(path.relative_to(photos).with_suffix(".jdc")): encode_photo(read_photo(path), order.settings)
        for path in sorted(photos.rglob("*.png"))
    }


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3; the environment leads fsspec to it."""
    server = pytest.importorskip("moto.server", reason="the extra `dev` is not installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(s3: str) -> str:
    """The URL of a new, empty bucket."""
    import fsspec

    name = f"photos-{uuid.uuid4().hex[:12]}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, s3: str) -> Iterator[DaskCluster]:
    """A scheduler and the workers "one" and "two"."""
    running = DaskCluster(tmp_path_factory.mktemp("dask"), {})
    try:
        running.start_worker("one")
        running.start_worker("two")
        yield running
    finally:
        running.close()


@pytest.fixture
def run(cluster: DaskCluster, order: Order, tmp_path: Path) -> RunJob:
    """A function of (inputs, output, **job settings) that runs a job on the cluster."""
    from jdcodec.cluster.driver import run_job
    from jdcodec.cluster.listing import find_photos

    def start(*inputs: str | Path, to: str | Path, **settings: object) -> Iterator[Record]:
        job = JobSettings(cluster.address, str(tmp_path / "manifest.jsonl"), batch=4, **settings)  # type: ignore[arg-type]
        found = find_photos([str(name) for name in inputs], str(to), endings=ENDINGS, recursive=True)
        return run_job(found, order, job, tell=print)

    return start
