"""Files: in an S3-compatible bucket when S3_BUCKET is set, else in a folder of this machine."""

from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from flask import Flask, current_app

from app.errors import NotFound


class Storage(Protocol):
    """Keeps bytes under a key such as `exports/2026/members.csv`."""

    def put(self, key: str, body: bytes, content_type: str) -> None: ...

    def get(self, key: str) -> bytes: ...

    def delete(self, key: str) -> None: ...


class Folder:
    """Keeps files in a folder; for development and a single machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write whole or not at all."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".part")
        draft.write_bytes(body)
        draft.replace(path)

    def get(self, key: str) -> bytes:
        """:raises NotFound: nothing is kept under the key."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound from None

    def delete(self, key: str) -> None:
        """Absent is fine."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or any(part in ("..", "/") or "\0" in part for part in parts):
            raise NotFound
        return self.folder.joinpath(*parts)


class Bucket:
    """Keeps files in an S3-compatible bucket; boto3 is loaded with the first of them."""

    def __init__(self, settings: Any) -> None:
        from boto3.session import Session  # one of our own: the default session is not for threads
        from botocore.config import Config

        self.bucket = settings.s3_bucket
        self.client = Session().client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            aws_access_key_id=settings.aws_access_key_id,
            aws_secret_access_key=settings.aws_secret_access_key,
            region_name=settings.aws_region,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
                connect_timeout=2,
                read_timeout=10,
                retries={"max_attempts": 2},
            ),
        )

    def put(self, key: str, body: bytes, content_type: str) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type)

    def get(self, key: str) -> bytes:
        """:raises NotFound: nothing is kept under the key."""
        try:
            return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            raise NotFound from None

    def delete(self, key: str) -> None:
        """Absent is fine."""
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def check(self) -> None:
        """Ask whether the bucket is there."""
        self.client.head_bucket(Bucket=self.bucket)


def storage(app: Flask | None = None) -> Storage:
    """The storage of the application."""
    app = app or current_app._get_current_object()  # type: ignore[attr-defined]
    if "storage" not in app.extensions:
        settings = app.config["SETTINGS"]
        folder = Folder(settings.instance_path / "storage")
        app.extensions["storage"] = Bucket(settings) if settings.s3_bucket else folder
    return app.extensions["storage"]
