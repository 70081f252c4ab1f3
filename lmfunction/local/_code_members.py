"""The code in a request: unpacked into a folder of its own, or run from where it lies, as fields of a configuration.

The latter is said by `Code={"S3Bucket": "hot-reload", "S3Key": "/folder"}`. The spelling is LocalStack's: boto3, the
AWS CLI and Terraform can say it, and those who say it already need not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmfunction.local._answers import invalid_parameter
from lmfunction.local._calls import Account
from lmfunction.local._code import CodeError
from lmfunction.local._invoke import RefusedError
from lmfunction.local._settings import LIVE_BUCKET


def code_of(account: Account, code: dict[str, Any]) -> dict[str, Any]:
    """The fields for the code in a request. Raises RefusedError."""
    if code.get("S3Bucket") == LIVE_BUCKET:
        return {"folder": _live_folder(code), "live": True, "code_sha256": "", "code_size": 0}
    try:
        package = account.code.unpacked(code.get("ZipFile"))
    except CodeError as e:
        raise RefusedError(invalid_parameter(str(e))) from None
    return {"folder": package.folder, "live": False, "code_sha256": package.sha256, "code_size": package.size}


def _live_folder(code: Mapping[str, Any]) -> Path:
    """The folder that a request names as live code or content. Raises RefusedError."""
    key = code.get("S3Key")
    folder = Path(key) if isinstance(key, str) and "\0" not in key else None
    if folder is None or not folder.is_absolute():
        text = f"With S3Bucket {LIVE_BUCKET}, S3Key must be the absolute path of a folder."
        raise RefusedError(invalid_parameter(text))
    if not folder.is_dir():
        raise RefusedError(invalid_parameter(f"S3Key: there is no folder {folder}."))
    return folder
