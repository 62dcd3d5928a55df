"""Files: the same promises in a folder and in a bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import NotFound
from app.storage import Bucket, Folder, Storage, storage
from tests.services.s3 import s3


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """The settings of a bucket on a real S3 server."""
    with s3() as server:
        yield {
            "S3_BUCKET": server.bucket,
            "S3_ENDPOINT_URL": server.endpoint_url,
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_REGION": server.region,
        }


@pytest.fixture(params=["folder", "bucket"])
def kept(request, make_app, tmp_path) -> Iterator[Storage]:
    """Either storage, as an application has it."""
    values = request.getfixturevalue("bucket") if request.param == "bucket" else {}
    app = make_app(INSTANCE_PATH=str(tmp_path), **values)
    with app.app_context():
        found = storage()
        assert isinstance(found, Bucket if values else Folder)
        assert storage(app) is found
        yield found
    if isinstance(found, Bucket):
        found.client.close()


def test_a_file_is_kept_replaced_and_deleted(kept):
    kept.put("a/b/c.txt", b"one", "text/plain")
    kept.put("a/b/c.txt", b"two\x00\xff", "text/plain")
    assert kept.get("a/b/c.txt") == b"two\x00\xff"
    kept.delete("a/b/c.txt")
    with pytest.raises(NotFound):
        kept.get("a/b/c.txt")
    kept.delete("a/b/c.txt")


def test_what_is_absent_is_not_found(kept):
    for key in ("nothing", "no/such/folder/file"):
        with pytest.raises(NotFound):
            kept.get(key)


@pytest.mark.parametrize("key", ["../secret", "a/../../secret", "/etc/passwd", "", ".", "a/\0b"])
def test_a_key_cannot_leave_the_folder(tmp_path, key):
    (tmp_path / "secret").write_text("secret")
    folder = Folder(tmp_path / "storage")
    for act in (folder.get, folder.delete, lambda key: folder.put(key, b"x", "text/plain")):
        with pytest.raises(NotFound):
            act(key)
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    folder.put("file", b"old", "text/plain")

    def full(path: Path, body: bytes) -> None:
        path.open("wb").close()
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="no space"):
            folder.put("file", b"new", "text/plain")
    assert folder.get("file") == b"old"


def test_whoever_reads_meanwhile_sees_the_old_file(tmp_path):
    folder = Folder(tmp_path)
    folder.put("file", b"old", "text/plain")
    with (tmp_path / "file").open("rb") as reader:
        folder.put("file", b"new", "text/plain")
        assert reader.read() == b"old"
    assert folder.get("file") == b"new"


def test_a_folder_is_not_a_file(tmp_path):
    folder = Folder(tmp_path)
    folder.put("a/b", b"x", "text/plain")
    for key in ("a", "a/b/c"):
        with pytest.raises(NotFound):
            folder.get(key)
