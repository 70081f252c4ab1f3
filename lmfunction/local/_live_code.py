"""Code that is not uploaded but run from where it lies: `Code={"S3Bucket": "hot-reload", "S3Key": "/folder"}`.

The spelling is LocalStack's, so that boto3, the AWS CLI and Terraform can say it, and those who say it already need not
change. The next invocation sees what was edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmfunction.local._answers import invalid_parameter
from lmfunction.local._invoke import RefusedError
from lmfunction.local._settings import LIVE_BUCKET


def live_folder(code: Mapping[str, Any]) -> Path:
    """The folder that a request names as live code or content. Raises RefusedError."""
    key = code.get("S3Key")
    folder = Path(key) if isinstance(key, str) and "\0" not in key else None
    if folder is None or not folder.is_absolute():
        text = f"With S3Bucket {LIVE_BUCKET}, S3Key must be the absolute path of a folder."
        raise RefusedError(invalid_parameter(text))
    if not folder.is_dir():
        raise RefusedError(invalid_parameter(f"S3Key: there is no folder {folder}."))
    return folder
