"""The real AWS CLI (version 1), asked for many lines in one process: `python oracle.py <requests >answers`, both JSON.

A request holds `words` (after `aws`), `folder`, `environ` (added) and `stdin`; an answer `code`, `out` (base64), `err`.
Requests that say `together` share one driver, which saves each the reading of the service model; it keeps what an
earlier line of them has set.
In a process of its own, because the AWS CLI changes streams and warnings of the process it runs in.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import sys
from typing import Any

from awscli.clidriver import create_clidriver  # which tells botocore by the environment where its data is


def _driver() -> Any:
    return create_clidriver()


_shared = functools.cache(_driver)


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """What the AWS CLI does for one line."""
    kept = dict(os.environ), sys.stdin, sys.stdout, sys.stderr
    os.environ.update(request["environ"])
    os.chdir(request["folder"])
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(request["stdin"].encode()), "utf-8")
    stdout = sys.stdout = io.TextIOWrapper(out, "utf-8", write_through=True)
    stderr = sys.stderr = io.TextIOWrapper(err, "utf-8", write_through=True)
    try:
        code = (_shared if request.get("together") else _driver)().main(request["words"])
    except SystemExit as ended:
        code = ended.code
    finally:
        environ, sys.stdin, sys.stdout, sys.stderr = kept
        os.environ.clear()
        os.environ.update(environ)
    stdout.flush()
    stderr.flush()
    return {"code": code, "out": base64.b64encode(out.getvalue()).decode(), "err": err.getvalue().decode()}


if __name__ == "__main__":
    json.dump([ask(request) for request in json.load(sys.stdin)], sys.stdout)
