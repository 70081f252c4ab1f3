"""YAML profiles: what the schema takes, where a refusal points, and which file a name means."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
import time
import tracemalloc
import zipfile

import pytest
import yaml

import lmfunction as lm
from lmfunction import _user_files
from lmfunction._connection import profile_of
from lmfunction._profile import find_profile, known_profiles, load_profile, shipped_folder
from lmfunction._profile_values import AuditRule, GuardRules, Profile
from lmfunction._redact import Redaction
from lmfunction.errors import ProfileError

TABLE = yaml.safe_load(pathlib.Path(__file__).with_name("profile_cases.yaml").read_text(encoding="utf-8"))


def ids(case):
    return case["id"]


def _values(found: dict, folder: pathlib.Path) -> dict:
    """The table's plain values as those that a profile holds."""
    for key, kind in (("guard", GuardRules), ("redaction", Redaction), ("audit", AuditRule)):
        if key in found:
            held = {k: tuple(v) if isinstance(v, list) else v for k, v in found[key].items()}
            for mark, place in (("<folder>", folder), ("<above>", folder.parent), ("<home>", pathlib.Path.home())):
                held = {k: v.replace(mark, str(place)) if isinstance(v, str) else v for k, v in held.items()}
            found = {**found, key: kind(**held)}
    return found


@pytest.mark.parametrize("case", TABLE["good"], ids=ids)
def test_a_profile_holds_what_its_text_says(case, tmp_path):
    """A text that follows the schema gives exactly its values; what is not written has its default."""
    path = tmp_path / "p.yaml"
    path.write_text(case["text"], encoding="utf-8")
    expected = dataclasses.replace(Profile("p", str(path), "location"), **_values(case["profile"], tmp_path))
    actual = load_profile(path)
    assert actual == expected, {"text": case["text"], "expected": expected, "actual": actual}
    assert {k: type(v) for k, v in actual.defaults.items()} == {k: type(v) for k, v in expected.defaults.items()}


@pytest.mark.parametrize("case", TABLE["bad"], ids=ids)
def test_what_the_schema_does_not_know_is_refused_at_its_place(case, tmp_path):
    """Everything else is a ProfileError that names the file, the line and the column and says what is wrong."""
    path = tmp_path / "p.yaml"
    path.write_text(case["text"], encoding="utf-8", newline="")
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    error = caught.value
    actual = {"line": error.line, "column": error.column, "says": str(error)}
    assert (error.line, error.column) == (case["line"], case.get("column")), (case, actual)
    assert str(error).startswith(":".join(str(p) for p in (path, case["line"], case.get("column")) if p is not None))
    for text in case["says"]:
        assert text in str(error), (case, actual)


@pytest.mark.parametrize("case", TABLE["refused_at_use"], ids=ids)
def test_an_unclear_default_is_refused_and_never_passed_over(case, tmp_path):
    """A default that its parameter cannot read is an error before anything is sent, never a guard that is not there."""
    (tmp_path / "p.yaml").write_text(
        f"endpoint: http://127.0.0.1:9\nregion: us-east-1\ndefaults: {{{case['defaults']}}}\n"
    )
    with pytest.raises(lm.ParameterError) as caught:
        lm.invoke_lm("f", profile_name="p", profile_location=str(tmp_path), what_if=True)
    assert caught.value.parameter == case["parameter"]


def test_a_misspelt_default_is_refused_with_the_file(tmp_path):
    """A default that no cmdlet has a parameter for is a ProfileError with the file and a suggestion."""
    path = tmp_path / "p.yaml"
    path.write_text("endpoint: embedded\ndefaults: {Confrim: true}\n")
    with pytest.raises(ProfileError, match="Did you mean -Confirm") as caught:
        lm.invoke_lm("f", profile_name="p", profile_location=str(tmp_path), what_if=True)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"region: \xff", "not UTF-8"),
        (b"[" * 3000, "nested deeper"),
        (b"".join(b"k%d: x\n" % n for n in range(1_000_000)), "larger than 65,536 bytes"),
    ],
    ids=["G26 UTF-16", "G26 Latin", "G18 deep", "G20 many keys"],
)
def test_what_is_no_small_text_is_refused(content, says, tmp_path):
    """Other encodings, depth and size are refused quickly, naming the file."""
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    start = time.perf_counter()
    with pytest.raises(ProfileError, match=says) as caught:
        load_profile(path)
    assert time.perf_counter() - start < 1
    assert caught.value.file == str(path)


def test_g19_a_huge_profile_is_not_read(tmp_path):
    """A profile of 100 MB is refused without being read into memory."""
    path = tmp_path / "p.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(ProfileError, match="larger than 65,536 bytes"):
        load_profile(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_an_unreadable_profile_is_a_profile_error(tmp_path):
    """A profile that cannot be opened is a ProfileError with the system's reason."""
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "missing.yaml")


def write(folder: pathlib.Path, name: str, text: str = "endpoint: embedded\n") -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def test_folders_are_searched_in_order(tmp_path):
    """-ProfileLocation comes first, then LMFUNCTION_PROFILES in its order, the user's folder, the shipped profiles."""
    places = [tmp_path / name for name in ("location", "first", "second")]
    user = tmp_path / "config" / "lmfunction" / "profiles"
    paths = [write(folder, "local.yaml") for folder in (*places, user)]
    environ = {
        "LMFUNCTION_PROFILES": os.pathsep.join(["", str(places[1]), str(tmp_path / "missing"), str(places[2])]),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    assert find_profile("local", location=str(places[0]), environ=environ) == paths[0]
    for path in paths[1:]:
        assert find_profile("local", environ=environ) == path
        path.unlink()
    assert find_profile("local", environ=environ) == shipped_folder() / "local.yaml"


def test_a_location_may_be_one_file(tmp_path):
    """-ProfileLocation and LMFUNCTION_PROFILES may name a file, which then is the profile of that name only."""
    path = write(tmp_path, "mine.yml")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "none"), "LMFUNCTION_PROFILES": str(path)}
    assert find_profile("mine", location=str(path), environ={}) == path
    assert find_profile("mine", environ=environ) == path
    assert find_profile("other", location=str(path), environ=environ) is None
    with pytest.raises(ProfileError, match="does not exist"):
        find_profile("mine", location=str(tmp_path / "missing"), environ=environ)


def test_g30_two_files_of_one_name_are_refused(tmp_path):
    """NAME.yaml and NAME.yml in one folder are ambiguous, so neither is taken."""
    write(tmp_path, "prod.yaml")
    write(tmp_path, "prod.yml")
    with pytest.raises(ProfileError, match=r"prod\.yaml and prod\.yml both stand in"):
        find_profile("prod", location=str(tmp_path))


@pytest.mark.parametrize(
    "name", ["../secret", "/abs", "a/b", "a\x00b", ".hidden", "", " ", "n" * 300, "a\nb", "..", "prod.yaml/.."]
)
def test_g29_a_name_does_not_leave_its_folder(name, tmp_path):
    """A profile's name is a plain name: paths, hidden files and control characters find nothing and are refused."""
    folder = tmp_path / "profiles"
    write(tmp_path, "secret.yaml")
    write(folder, ".hidden.yaml")
    write(folder, "prod.yaml")
    assert find_profile(name, location=str(folder)) is None
    with pytest.raises((ProfileError, lm.ParameterError)) as caught:
        lm.invoke_lm("f", profile_name=name, profile_location=str(folder), what_if=True)
    assert len(str(caught.value)) < 600
    assert "\x00" not in str(caught.value)


def test_g29_another_case_is_another_name(tmp_path):
    """`Prod` is not `prod`: the error proposes the profile that is there."""
    write(tmp_path, "prod.yaml")
    with pytest.raises(ProfileError, match=r"no profile 'Prod'.*Did you mean prod\?"):
        profile_of({"profile_name": "Prod", "profile_location": str(tmp_path)})


def test_a_yaml_profile_wins_over_an_aws_profile(tmp_path, monkeypatch):
    """Of two profiles with one name the YAML profile is taken; the AWS profile alone is taken by its name."""
    config = tmp_path / "aws"
    config.write_text("[profile both]\nregion = eu-west-1\n[profile only-aws]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    path = write(tmp_path / "profiles", "both.yaml", "aws_profile: only-aws\n")
    where = {"profile_location": str(path.parent)}
    profile, aws_profile = profile_of({"profile_name": "both", **where})
    assert (profile.file, aws_profile) == (str(path), "only-aws")
    assert profile_of({"profile_name": "only-aws", **where}) == (Profile(""), "only-aws")
    with pytest.raises(ProfileError, match=r"no profile 'bot'.*Did you mean both\?.*Known: .*only-aws"):
        profile_of({"profile_name": "bot", **where})


def test_a_shipped_example_is_no_profile_and_says_how_to_get_one():
    """Who asks for `staging` without having one is told that the shipped file is an example, and what writes one."""
    with pytest.raises(ProfileError, match=r"no profile 'staging'.*an example; `New-LMProfile staging` writes one"):
        profile_of({"profile_name": "staging"})


def test_no_profile_named_is_no_profile():
    """Without a name nothing is searched; an empty name is an error of the parameter."""
    assert profile_of({}) == (Profile(""), None)
    with pytest.raises(lm.ParameterError, match="empty"):
        profile_of({"profile_name": ""})


def test_known_profiles_leave_out_the_commented_examples(tmp_path):
    """The list of known profiles holds what can be used: not the shipped examples, whose lines are all comments."""
    write(tmp_path, "mine.yml")
    write(tmp_path, "notes.txt")
    write(tmp_path, "example.yaml", "# region: eu-west-1\n")
    (tmp_path / "latin.yaml").write_bytes(b"region: \xff")
    found = known_profiles(location=str(tmp_path), environ={"XDG_CONFIG_HOME": str(tmp_path / "none")})
    assert found == ["latin", "local", "mine"]


def test_the_shipped_profiles_load_or_say_that_they_are_examples():
    """`local` loads; each other shipped file is empty as it stands and loads when its comment marks are removed."""
    shipped = {path.stem: path for path in shipped_folder().glob("*.yaml")}
    assert {"local", "staging", "production"} <= shipped.keys()
    assert load_profile(shipped.pop("local")).endpoint == "embedded"
    for path in shipped.values():
        with pytest.raises(ProfileError, match="is empty"):
            load_profile(path)


def _uncommented(name: str) -> str:
    lines = (shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8").split("\n#\n")[1].splitlines()
    return "\n".join(line.removeprefix("# ") for line in lines)


@pytest.mark.parametrize("name", ["staging", "production"])
def test_a_shipped_example_loads_without_its_comment_marks(name, tmp_path):
    """An example does what its first lines say: remove the leading marks and it is a profile with rules."""
    profile = load_profile(write(tmp_path, f"{name}.yaml", _uncommented(name)))
    assert profile.aws_profile
    assert profile.region == "eu-west-1"
    assert profile.functions["orders"].startswith(f"arn:aws:lambda:eu-west-1:{profile.account}:")
    assert profile.guard.deny == ("*-delete",)
    assert "email" in profile.redaction.keys
    assert profile.audit is not None
    assert profile.audit.file == str(tmp_path / "audit" / "{date}.jsonl")


def test_the_shipped_production_shows_every_rule_and_how_to_inherit(tmp_path):
    """The production example has all rules; its inherits line works once a profile of that name stands beside it."""
    write(tmp_path, "team.yaml", "guard: {deny: [team-secret], max_items: 10}\n")
    text = _uncommented("production").replace("# inherits:", "inherits:").replace("max_items: 10000", "max_items: 5")
    profile = load_profile(write(tmp_path, "production.yaml", text))
    assert profile.inherits == ("team",)
    assert profile.guard == GuardRules(
        confirm=True,
        allow=("orders-*", "arn:aws:lambda:*:210987654321:function:billing-?"),
        deny=("team-secret", "*-delete"),
        max_items=5,
    )
    assert profile.redaction.text("paid with 4111 1111 1111 1111.") == "paid with ***."


def test_the_wheel_holds_the_shipped_profiles(tmp_path):
    """What is installed from the wheel has the same profiles as the source tree."""
    root = pathlib.Path(__file__).parent.parent
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if name.startswith("lmfunction/profiles/")}
        assert "lmfunction/local/_node_loop.mjs" in archive.namelist()
    assert held == {f"lmfunction/profiles/{p.name}": p.read_bytes() for p in (root / "profiles").glob("*.yaml")}


def test_the_user_folder_on_windows(tmp_path, monkeypatch):
    """On Windows the user's folder stands under APPDATA."""
    monkeypatch.setattr(_user_files.sys, "platform", "win32")
    path = write(tmp_path / "lmfunction" / "profiles", "mine.yaml")
    assert find_profile("mine", environ={"APPDATA": str(tmp_path)}) == path
