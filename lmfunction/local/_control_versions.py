"""PublishVersion: versions are numbered from 1, and never change."""

from __future__ import annotations

from lmfunction.local._answers import invalid_parameter, ok
from lmfunction.local._calls import Account, Call, check_revision
from lmfunction.local._control_members import refuse_what_is_not_here
from lmfunction.local._functions import Configuration, Function
from lmfunction.local._http import Answer
from lmfunction.local._invoke import RefusedError


def publish_version(account: Account, call: Call) -> Answer:
    """PublishVersion; when nothing has changed since the last one, it is that."""
    refuse_what_is_not_here(call)
    function = account.function(call)
    latest = function.latest
    check_revision(call, latest.revision_id)
    digest = call.text("CodeSha256")
    if digest and digest != latest.code_sha256:
        text = (
            f"CodeSHA256 ({digest}) is different from current CodeSHA256 in $LATEST ({latest.code_sha256}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
        raise RefusedError(invalid_parameter(text))
    version = publish(account, function, call.text("Description"))
    account.changed(function)
    return ok(version.to_api(), status=201)


def publish(account: Account, function: Function, description: str | None) -> Configuration:
    """The version made from `$LATEST` as it is now: a new one, or the last when that was made from the same."""
    made_from = function.latest.fingerprint()
    last = function.versions.get(str(function.last_version))
    if last is not None and function.published_from == made_from:
        return last
    number = str(function.last_version + 1)
    folder = account.code.copied(function.latest.folder)
    version = function.latest.published(number, folder, description)
    function.versions[number] = version
    function.last_version += 1
    function.published_from = made_from
    function.latest = function.latest.revised()
    return version
