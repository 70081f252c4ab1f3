"""Files named on a line: what is read, and what is refused without hanging or believing half a file."""

from __future__ import annotations

import os
import pathlib

import pytest

from lmfunction._files import read_file, read_text_file
from lmfunction.errors import ParameterError


def refusal(name: str | os.PathLike[str], limit: int = 100) -> str:
    with pytest.raises(ParameterError) as caught:
        read_file(name, limit=limit, parameter="Payload")
    assert caught.value.parameter == "Payload"
    assert str(caught.value).startswith("Payload: file ")
    return str(caught.value)


def test_a_file_is_read_whole_up_to_the_limit(tmp_path):
    """A file of exactly the limit is read unchanged, one byte more is refused with its size."""
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf\r\n\x00" + b"x" * 94)
    assert read_file(path, limit=100, parameter="Payload") == path.read_bytes()
    path.write_bytes(b"x" * 101)
    assert "101 B; 100 B is the limit" in refusal(path)


def test_an_empty_file_is_empty(tmp_path):
    """An empty file gives no bytes; whoever asked decides what that means."""
    (tmp_path / "empty").touch()
    assert read_file(tmp_path / "empty", limit=10, parameter="Payload") == b""


def test_home_and_variables_are_expanded(tmp_path, monkeypatch):
    """`~` and environment variables in a name are expanded, as a shell would."""
    (tmp_path / "a b.json").write_bytes(b"{}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FOLDER", str(tmp_path))
    for name in ("~/a b.json", "$FOLDER/a b.json", "${FOLDER}/a b.json", str(tmp_path / "a b.json")):
        assert read_file(name, limit=10, parameter="Payload") == b"{}"


def test_what_is_no_plain_file_is_refused_without_waiting(tmp_path):
    """A missing file, a directory, a pipe nobody writes to, a device and a broken link are refused by name, at once."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "missing" in refusal(tmp_path / "missing")
    assert "No such file" in refusal(tmp_path / "missing")
    assert "is a directory" in refusal(tmp_path)
    assert "is not a regular file" in refusal(tmp_path / "fifo")
    assert "is not a regular file" in refusal("/dev/zero")
    assert "No such file" in refusal(tmp_path / "link")
    assert "cannot be read" in refusal(tmp_path / "loop")
    assert "is a directory" in refusal("")
    assert "cannot be read" in refusal("a\x00b")
    assert "cannot be read" in refusal("x" * 5000)


def test_refusals_leave_nothing_open(tmp_path):
    """No refusal keeps a file descriptor."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"x" * 101)
    before = len(list(pathlib.Path("/proc/self/fd").iterdir())) if pathlib.Path("/proc/self/fd").exists() else 0
    for _ in range(5):
        for name in (tmp_path, tmp_path / "fifo", tmp_path / "large", "/dev/zero"):
            refusal(name)
    after = len(list(pathlib.Path("/proc/self/fd").iterdir())) if before else 0
    assert after == before


def test_a_name_is_shown_in_ascii(tmp_path):
    """A look-alike letter in a name is spelled out."""
    assert "\\u0440rod" in refusal(tmp_path / "рrod.json")


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"{}\n", "{}\n"), (b"\xef\xbb\xbf{}\r\n", "{}\r\n"), ("é\u2028".encode(), "é\u2028"), (b"", "")],
)
def test_text_is_utf_8_without_its_byte_order_mark(content, text, tmp_path):
    """Text comes as it is, but for a byte order mark."""
    (tmp_path / "a").write_bytes(content)
    assert read_text_file(str(tmp_path / "a"), limit=100, parameter="Payload") == text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{}".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("{}".encode("utf-16-be").replace(b"\x00{", b"\xfe\xff\x00{"), "is UTF-16"),
        (b"\xff{}", "is UTF-16|byte 0xff"),
        (b"ab\nc\xe9", "byte 0xe9 at line 2, column 2"),
        (b"\x80", "byte 0x80 at line 1, column 1"),
    ],
)
def test_another_encoding_is_refused_at_its_place(content, says, tmp_path):
    """Text in another encoding is refused, with the line and column of the first byte that is not UTF-8."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ParameterError, match=says):
        read_text_file(str(tmp_path / "a"), limit=100, parameter="Payload")
