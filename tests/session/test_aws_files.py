"""~/.aws written profile by profile: everybody else's bytes stay, boto3 and the AWS CLI read what is meant."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmfunction as lm
from lmfunction import _ini
from lmfunction._aws_files import AwsFiles, aws_files, check_name, forget, store, stored_profiles

SECRET = "not/a+secret=" + "x" * 27
KEYS = {"aws_access_key_id": "AKIDNEW", "aws_secret_access_key": SECRET}
ROLE = {"role_arn": "arn:aws:iam::123456789012:role/deploy", "source_profile": "ops"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AwsFiles:
    """An empty ~/.aws that the environment names."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws" / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws" / "credentials"))
    return aws_files()


def write(files: AwsFiles, credentials: bytes = b"", config: bytes = b"") -> None:
    files.credentials.parent.mkdir(exist_ok=True)
    files.credentials.write_bytes(credentials)
    files.config.write_bytes(config)


def profile(name: str) -> dict[str, str]:
    """What botocore reads of a profile, from both files."""
    found: dict[str, str] = botocore.session.Session().full_config["profiles"].get(name)
    return found


HAND_MADE = (
    b"# my keys; do not touch\r\n[default]\r\naws_access_key_id=AKIDOLD\r\naws_secret_access_key : old\r\n"
    b"  ; indented\r\nregion = eu-west-1\r\n\r\n\r\n# of the customer\r\n[Kunde \xc3\x84]\r\n"
    b"aws_access_key_id = AKIDK\r\naws_secret_access_key = k\r\ns3 =\r\n    max_concurrent_requests = 20\r\n"
)


def test_new_keys_replace_the_old_and_nothing_else(files: AwsFiles) -> None:
    """Comments, order, blank lines, spelling and CRLF of everything else stay, byte for byte."""
    write(files, HAND_MADE)
    store(files, "default", KEYS)
    old = b"aws_access_key_id=AKIDOLD\r\naws_secret_access_key : old\r\n"
    new = f"aws_access_key_id = AKIDNEW\r\naws_secret_access_key = {SECRET}\r\n".encode()
    assert files.credentials.read_bytes() == HAND_MADE.replace(old, new)
    assert files.config.read_bytes() == b""


def test_a_new_profile_stands_at_the_end(files: AwsFiles) -> None:
    """Behind a blank line; a last line without an end gets one."""
    write(files, b"[a]\naws_access_key_id = x", b"[profile a]\nregion = x\n\n")
    store(files, "b", KEYS)
    store(files, "c d", ROLE)
    text = f"[a]\naws_access_key_id = x\n\n[b]\naws_access_key_id = AKIDNEW\naws_secret_access_key = {SECRET}\n"
    assert files.credentials.read_text() == text
    role = "".join(f"{name} = {value}\n" for name, value in ROLE.items())
    assert files.config.read_text() == f'[profile a]\nregion = x\n\n[profile "c d"]\n{role}'


def test_files_and_folder_are_their_owners_alone(files: AwsFiles) -> None:
    """0600 and 0700 where they are made; the credentials become 0600 also where they were not, the config stays."""
    store(files, "a", KEYS)
    store(files, "b", ROLE)
    assert stat.S_IMODE(files.credentials.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.credentials, files.config)} == {0o600}
    files.credentials.chmod(0o644)
    files.config.chmod(0o640)
    store(files, "a", {**KEYS, "aws_session_token": "t"})
    store(files, "b", {**ROLE, "external_id": "e"})
    assert stat.S_IMODE(files.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.config.stat().st_mode) == 0o640


def test_a_symbolic_link_is_followed(files: AwsFiles, tmp_path: Path) -> None:
    """Who keeps the file elsewhere keeps it there; no other file is left behind."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("[a]\n")
    files.credentials.parent.mkdir()
    files.credentials.symlink_to(elsewhere / "mine")
    store(files, "b", KEYS)
    assert files.credentials.is_symlink()
    assert "AKIDNEW" in (elsewhere / "mine").read_text()
    assert sorted(path.name for path in elsewhere.iterdir()) == ["mine"]


@pytest.mark.parametrize("name", ["ops", "default", "two words", "ünïcode", "a.b_c-d@e", "profile"])
def test_what_is_written_is_what_boto3_reads(name: str, files: AwsFiles) -> None:
    """Under any name that a profile can have, keys and roles come back whole."""
    store(files, name, KEYS)
    assert profile(name) == KEYS
    store(files, name, ROLE)
    assert profile(name) == ROLE, "no old key stands beside the role"
    store(files, name, {**KEYS, "aws_session_token": "t"}, region="eu-west-1")
    assert profile(name) == {**KEYS, "aws_session_token": "t", "region": "eu-west-1"}
    store(files, name, KEYS)
    assert "aws_session_token" not in profile(name), "an old token would break new keys"
    forget(files, (name,))
    assert profile(name) is None
    assert files.credentials.read_text().strip() == files.config.read_text().strip() == ""


def test_what_would_win_over_new_keys_goes(files: AwsFiles) -> None:
    """A role, a program, a sign-in of the same profile come first at boto3, so that they must not stay."""
    write(
        files,
        b"[ops]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = x\n",
        b"[profile ops]\nregion = eu-west-1\ncredential_process = /bin/false\nsso_session = s\nsso_account_id = 1\n"
        b"s3 =\n  addressing_style = path\n[sso-session s]\nsso_start_url = https://x\n",
    )
    store(files, "ops", KEYS)
    assert profile("ops") == {**KEYS, "region": "eu-west-1", "s3": {"addressing_style": "path"}}
    assert files.config.read_bytes().endswith(b"[sso-session s]\nsso_start_url = https://x\n")
    assert botocore.session.Session(profile="ops").get_credentials().access_key == "AKIDNEW"


def test_the_aws_cli_reads_what_is_written(files: AwsFiles) -> None:
    """`aws configure list` and `aws configure get` tell the same."""
    aws = Path(sys.executable).with_name("aws")
    if not aws.exists():
        pytest.skip("no AWS CLI beside this Python")
    lm.Session().set_aws_credential(access_key="AKIDNEW", secret_key=SECRET, store_as="two words")
    store(files, "default", KEYS, region="eu-west-1")

    def run(*words: str) -> str:
        done = subprocess.run([str(aws), *words], capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    assert run("configure", "get", "aws_access_key_id", "--profile", "two words") == "AKIDNEW"
    assert run("configure", "get", "aws_secret_access_key", "--profile", "two words") == SECRET
    listed = run("configure", "list", "--profile", "default")
    assert SECRET[-4:] in listed
    assert "eu-west-1" in listed


@pytest.mark.parametrize(
    ("credentials", "says"),
    [
        (b"aws_access_key_id = AKIDX\n", "line 1: it stands in no [section]"),
        (b"[a]\n[a]\n", "line 2: the section [a] stands there a second time"),
        (b"[a]\nx = 1\nX = 2\n", "line 3: x stands in [a] a second time"),
        (b"[a]\nnonsense secret-value\n", "line 2: it is no `name = value`"),
        (b"[a]\nx = \xff\n", "not UTF-8 text"),
        (b"  [a]\nx = 1\n  [b]\ny = 2\n", None),
    ],
)
def test_a_file_that_nobody_can_read_is_not_written(credentials: bytes, says: str | None, files: AwsFiles) -> None:
    """The error tells file and line and no content; the other file is not written either."""
    write(files, credentials, b"[profile ops]\nregion = x\ncredential_process = y\n")
    if says is None:
        store(files, "ops", KEYS)  # read as configparser reads it: `[b]` goes on with x
        assert profile("ops")["aws_access_key_id"] == "AKIDNEW"
        return
    with pytest.raises(lm.ProfileError) as caught:
        store(files, "ops", KEYS)
    assert says in str(caught.value)
    assert str(files.credentials) in str(caught.value)
    assert "secret-value" not in str(caught.value)
    assert files.credentials.read_bytes() == credentials
    assert b"credential_process" in files.config.read_bytes()


def test_a_profile_that_two_sections_name_is_not_written(files: AwsFiles) -> None:
    """`[profile a]` and `[profile "a"]` are one profile; which of them counts is nothing to guess."""
    write(files, config=b'[profile a]\nregion = x\n[profile "a"]\nregion = y\n')
    with pytest.raises(lm.ProfileError, match="mean the same profile"):
        store(files, "a", ROLE)


@pytest.mark.parametrize(("place", "says"), [("/proc/nowhere/credentials", "written"), ("/proc", "read")])
def test_a_file_that_may_not_be_written_or_read_is_told(
    place: str, says: str, files: AwsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its name, and without a traceback."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", place)
    with pytest.raises(lm.ProfileError, match=f"^{place}: It cannot be {says}"):
        store(aws_files(), "b", KEYS)


@pytest.mark.parametrize("name", ["", " a", "a ", "a]", "[a", "a'b", 'a"b', "a\\b", "a\nb", "a\tb", "x" * 129])
def test_a_name_that_an_ini_file_cannot_hold_is_refused(name: str) -> None:
    """Before anything is read."""
    with pytest.raises(lm.ParameterError, match="cannot name a profile"):
        check_name(name)


def test_profiles_are_listed_as_botocore_knows_them(files: AwsFiles) -> None:
    """`[profile x]`, quoted names and `[default]` in the config, every section of the credentials; nothing else."""
    write(
        files,
        b"[default]\n[x]\naws_access_key_id = a\n",
        b"[default]\n[profile y]\n[profile 'two words']\n[sso-session s]\n[services t]\n[plugins]\n[profile a b c]\n",
    )
    listed = {name for name, _, _ in stored_profiles(files)}
    assert listed == set(botocore.session.Session().available_profiles) == {"default", "x", "y", "two words"}


# INI text as people leave it: comments, odd spacing, nested values, all three line ends, no end at all.
_END = st.sampled_from(["\n", "\n", "\r\n", "\r"])
_WORD = st.text("abcXYZ019_-./+é", min_size=1, max_size=6)
_INDENT = st.sampled_from(["", "", "", " ", "\t", "   "])
_KINDS = st.sampled_from(["header", "header", "option", "option", "colon", "key", "role", "nested", "comment", "blank"])
_ROWS = st.lists(st.tuples(_KINDS, _INDENT, _WORD, _END), max_size=14)
_NAMES = st.permutations(["a", "b", "profile a", "default", "DEFAULT", "c", "x y"])


def _text_of(rows: list[tuple[str, str, str, str]], names: list[str]) -> str:
    """Rows as text, whose sections and options stand there once."""
    found, left = ["# top\n", f"[{names[-1]}]\n"], list(names[:-1])
    for number, (kind, indent, word, end) in enumerate(rows):
        lines = {
            "header": f"{indent}[{left.pop() if left and kind == 'header' else word}]",
            "option": f"{indent}{word}{number} = {word}",
            "colon": f"{indent}{word.upper()}{number}:{word}  ",
            "key": f"{indent}aws_access_key_id={word}",
            "role": f"{indent}Role_ARN = {word}",
            "nested": f"{indent}{word}{number} ={end}{indent}  inner = {word}",
            "comment": f"{indent}#{word}",
            "blank": indent,
        }
        found.append(lines[kind] + end)
    return "".join(found)


_TEXT = st.builds(_text_of, _ROWS, _NAMES)


@settings(max_examples=400, deadline=None)
@given(text=_TEXT, cut=st.booleans(), name=st.sampled_from(["a", "b", "new"]))
def test_every_other_byte_of_any_file_stays(text: str, cut: bool, name: str) -> None:
    """Whatever the file: an edit changes lines of its section alone and means what it says, or it is refused."""
    text = text[:-1] if cut else text
    values = {"aws_access_key_id": "AKID", "role_arn": None, "aws_secret_access_key": "s"}
    try:
        before = _ini.parsed(text)
        after = _ini.with_values(text, name, values, lambda section: section == name)
        gone = _ini.without_section(text, lambda section: section == name)
    except _ini.IniError:
        return
    read = _ini.parsed(after)
    assert {n: o for n, o in read.items() if n != name} == {n: o for n, o in before.items() if n != name}
    kept = {n: v for n, v in before.get(name, {}).items() if n not in values}
    assert read[name] == {**kept, "aws_access_key_id": "AKID", "aws_secret_access_key": "s"}
    assert _ini.parsed(gone) == {n: o for n, o in before.items() if n != name}
    others = [line for line in _pieces(text, name) if line.strip()]
    assert [line for line in _pieces(after, name) if line.strip()] == others
    if name not in before:
        assert after.startswith(text)
        assert gone == text


def _pieces(text: str, name: str) -> list[str]:
    """The lines that are not of section `name`, ends and all; comments of that section are among them."""
    found, inside = [], False
    for line in _ini._lines(text):
        if line.kind == "header":
            inside = line.name == name
        if not inside or line.kind == "comment":
            found.append(line.text.rstrip("\r\n"))
    return found
