"""An S3 over HTTP, with a bucket. It takes any signature: what a presigned URL allows is for unit tests."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"
REGION = "us-east-1"


@dataclass(frozen=True)
class S3:
    """Where the server listens, and the bucket that is there."""

    endpoint_url: str
    bucket: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = REGION


@contextlib.contextmanager
def s3() -> Iterator[S3]:
    """Yield a server with one empty bucket of its own."""
    import boto3
    from botocore.config import Config
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        storage = S3(f"http://{host}:{port}", f"test-{secrets.token_hex(8)}")
        client = boto3.client(
            "s3",
            endpoint_url=storage.endpoint_url,
            aws_access_key_id=storage.access_key,
            aws_secret_access_key=storage.secret_key,
            region_name=storage.region,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, proxies={}),
        )
        with contextlib.closing(client):
            client.create_bucket(Bucket=storage.bucket)
        yield storage
    finally:
        server.stop()
        if server._server:
            server._server.server_close()  # stop() leaves the listening socket open
