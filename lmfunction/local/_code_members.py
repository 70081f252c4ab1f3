"""The code in a request: unpacked into a folder of its own, or the user's own folder, as fields of a configuration."""

from __future__ import annotations

from typing import Any

from lmfunction.local._answers import invalid_parameter
from lmfunction.local._calls import Account
from lmfunction.local._code import CodeError
from lmfunction.local._invoke import RefusedError
from lmfunction.local._live_code import live_folder
from lmfunction.local._settings import LIVE_BUCKET


def code_of(account: Account, code: dict[str, Any]) -> dict[str, Any]:
    """The fields for the code in a request. Raises RefusedError."""
    if code.get("S3Bucket") == LIVE_BUCKET:
        return {"folder": live_folder(code), "live": True, "code_sha256": "", "code_size": 0}
    try:
        package = account.code.unpacked(code.get("ZipFile"))
    except CodeError as e:
        raise RefusedError(invalid_parameter(str(e))) from None
    return {"folder": package.folder, "live": False, "code_sha256": package.sha256, "code_size": package.size}
