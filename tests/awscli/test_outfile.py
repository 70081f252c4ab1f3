"""The outfile: refused before anything is sent, written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from lmfunction._awscli_outfile import check_outfile, is_standard_output, write_outfile
from lmfunction.errors import LMError, ParameterError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "is no file name"),
        ("a\0b", "is no file name"),
        ("none/out", "there is no directory"),
        ("folder", "is a directory"),
        ("link", "is a directory"),
        ("file://out", "leave file:// out"),
        ("n" * 300, "cannot be used: File name too long"),
        ("file/out", "cannot be used: Not a directory"),
    ],
)
def test_what_cannot_be_written_is_refused_before_sending(name: str, says: str) -> None:
    """The AWS CLI finds these out when the function has run and its answer is lost."""
    Path("folder").mkdir()
    Path("file").touch()
    Path("link").symlink_to("folder")
    with pytest.raises(ParameterError, match=says) as caught:
        check_outfile(name)
    assert caught.value.parameter == "outfile"


REFUSALS = """
import os
from lmfunction._awscli_outfile import check_outfile
from lmfunction.errors import ParameterError
if os.geteuid() == 0:  # root may write everywhere
    os.setuid(65534)
for name in ("read-only", "closed/out"):
    try:
        check_outfile(name)
        print("taken")
    except ParameterError as error:
        print("may not be" in str(error), error.parameter)
"""


def test_what_may_not_be_written_is_refused() -> None:
    """A file that is only read, and a folder that takes no file; asked as somebody who is not root."""
    with tempfile.TemporaryDirectory() as name:  # not tmp_path, whose parents are closed to everybody else
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "read-only").touch(0o444)
        (folder / "closed").mkdir(0o555)
        done = subprocess.run([sys.executable, "-c", REFUSALS], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True outfile"] * 2


def test_checking_makes_nothing() -> None:
    """A checked outfile is not there yet, and one that is there is as it was."""
    Path("old").write_bytes(b"old")
    check_outfile("new")
    check_outfile("old")
    assert [p.name for p in Path().iterdir()] == ["old"]
    assert Path("old").read_bytes() == b"old"


def test_a_new_file_has_the_modes_that_the_umask_leaves() -> None:
    """As a file that the shell or the AWS CLI makes, and not for its owner alone as a temporary file."""
    before = os.umask(0o027)
    try:
        write_outfile("new", b"[1]")
    finally:
        os.umask(before)
    assert (Path("new").read_bytes(), stat.S_IMODE(Path("new").stat().st_mode)) == (b"[1]", 0o640)
    assert [p.name for p in Path().iterdir()] == ["new"]


def test_an_old_file_keeps_its_modes() -> None:
    """Only the content is new."""
    Path("old").write_bytes(b"something longer")
    Path("old").chmod(0o604)
    write_outfile("old", b"")
    assert (Path("old").read_bytes(), stat.S_IMODE(Path("old").stat().st_mode)) == (b"", 0o604)


def test_links_stay_links() -> None:
    """A symbolic link's target is written, also one that is not there yet; a second name of a file stays one."""
    Path("folder").mkdir()
    Path("link").symlink_to("folder/target")
    check_outfile("link")
    write_outfile("link", b"[1]")
    assert Path("link").is_symlink()
    assert Path("folder/target").read_bytes() == b"[1]"
    os.link("folder/target", "second")
    write_outfile("second", b"[2]")
    assert Path("folder/target").read_bytes() == b"[2]"


def test_a_pipe_gets_the_bytes() -> None:
    """`>(jq .)` of a shell is a pipe: it is written to, not replaced."""
    os.mkfifo("pipe")
    check_outfile("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()))
    reader.start()
    write_outfile("pipe", b"[1]")
    reader.join(10)
    assert got == [b"[1]"]
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_a_failure_leaves_the_old_file_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last step fails the old content is there, nothing lies beside it, and the error has the request id."""
    Path("old").write_bytes(b"old")

    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(LMError, match=r"No space left on device\.\n  RequestId: 1-2") as caught:
        write_outfile("old", b"new", request_id="1-2")
    assert caught.value.request_id == "1-2"
    assert [(p.name, p.read_bytes()) for p in Path().iterdir()] == [("old", b"old")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_device_is_told() -> None:
    """A write that the device refuses is an error that says that the function ran."""
    check_outfile("/dev/full")
    with pytest.raises(LMError, match="The function ran, but its answer could not be written to '/dev/full'"):
        write_outfile("/dev/full", b"[1]")


def test_standard_output_by_its_names() -> None:
    """`-` and the names of the stream; a file of such a name in a folder is a file."""
    assert [is_standard_output(n) for n in ("-", "/dev/stdout", "/dev/fd/1", "./-", "stdout")] == [True] * 3 + [
        False
    ] * 2
