"""The cmdlets for profiles, as they are used: in Python, in a notebook, at the terminal."""

from __future__ import annotations

import json
import os
import pathlib
import pickle
import pty
import stat
import subprocess
import sys

import pytest

import lmfunction as lm
from lmfunction._commands import run_line, run_pipeline
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._profile import known_profiles, profile_named
from lmfunction._profile_approvals import approvals
from lmfunction._scope import Scope
from lmfunction._table import PROFILE_CMDLETS, find_cmdlet
from lmfunction.errors import GuardError, ParameterError, ProfileError

GUARDED = """\
aws_profile: ops
region: eu-west-1
account: "123456789012"
guard: {confirm: always, deny: ["*-delete"], max_items: 1000}
"""


class Person:
    """A door with somebody at it, who gives these answers and remembers what was asked, shown and told."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked, self.shown, self.told, self.names = [], [], [], {}

    def ask(self, question):
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else None

    def run(self, line, *, what_if=False):
        name, _, rest = line.partition(" ")
        door = Door(
            scope=Scope(self.names),
            ask=self.ask,
            show=self.shown.append,
            tell=lambda level, text: self.told.append((level, text)),
            assign=self.names.__setitem__,
            what_if=what_if,
        )
        return run_line(find_cmdlet(name), rest, None, Engine(), door, {})


@pytest.fixture
def aws(tmp_path, monkeypatch):
    """~/.aws with a profile `ops`."""
    path = tmp_path / "aws-config"
    path.write_text("[profile ops]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


def test_approving_shows_the_file_and_what_it_does_and_wants_a_yes(project):
    """The whole text, its effects and what is left out stand in the question; the essential line is the last."""
    project.write("staging", GUARDED + "defaults: {Force: true, LogType: Tail}\naudit: ../audit/{date}.jsonl\n")
    person = Person("yes")
    record = person.run("approve_lm_profile staging")
    (question,) = person.asked
    lines = question.splitlines()
    assert [line.partition(" | ")[2] for line in lines[1:7]] == [
        *GUARDED.splitlines(),
        "defaults: {Force: true, LogType: Tail}",
        "audit: ../audit/{date}.jsonl",
    ]
    assert "  Calls go to: AWS, region eu-west-1" in lines
    assert "  Account: must be 123456789012" in lines
    assert "  Guard: confirm; deny *-delete; at most 1,000 items" in lines
    assert f"  Writes: {project.folder}/audit/{{date}}.jsonl" in lines
    assert any(line.startswith("  Left out: ") and "Force: true" in line for line in lines)
    assert " ".join(lines[-2:]).endswith("-ProfileName staging go. Type yes to go on: ")
    assert (record["Name"], record["Origin"], record["Approved"], record["Status"]) == (
        "staging",
        "project",
        True,
        "ok",
    )
    assert profile_named("staging").guard.confirm


@pytest.mark.parametrize("answer", ["", "y", "Yes", "yes ", "staging", "no", "уes"])
def test_only_a_yes_approves(project, answer):
    """Anything else, a look-alike too, approves nothing."""
    project.write("staging")
    with pytest.raises(GuardError, match="not confirmed, so nothing was changed"):
        Person(answer).run("approve_lm_profile staging")
    assert not approvals().folder.exists()


def test_with_nobody_there_approving_fails_closed(project):
    """A notebook that runs unattended approves nothing unless it is forced to."""
    project.write("staging")
    with pytest.raises(GuardError, match=r"nobody can answer here.*-Force"):
        Person().run("approve_lm_profile staging")
    assert not approvals().folder.exists()
    assert Person().run("approve_lm_profile staging -Force")["Approved"] is True
    assert Person().run("approve_lm_profile staging")["Approved"] is True  # it is already: nobody is asked


def test_confirm_false_is_an_answer_and_what_if_approves_nothing(project):
    """-Confirm:$false goes on unasked; -WhatIf, on the line or for the notebook, shows the file and changes nothing."""
    project.write("staging", GUARDED)
    for line, dry in (("approve_lm_profile staging -WhatIf -Force", False), ("approve_lm_profile staging", True)):
        person = Person()
        assert person.run(line, what_if=dry) is NOTHING
        assert "must be 123456789012" in repr(person.shown[0])
        assert not approvals().folder.exists()
    assert Person().run("approve_lm_profile staging -Confirm:$false")["Approved"] is True


def test_what_would_forge_the_question_is_shown_escaped(project):
    """Control and bidirectional characters of the file are visible where it is shown; a tab is."""
    project.write("staging", "region: eu-west-1 # \u202e\tgood\u200b\n")
    person = Person("yes")
    person.run("approve_lm_profile staging")
    assert r"region: eu-west-1 # \u202e\tgood\u200b" in person.asked[0]


def test_a_faulty_or_open_profile_is_not_approved(project):
    """What cannot be used cannot be approved; the error is that of its use."""
    project.write("bad", "guard: {confirm: no}\n")
    project.write("open").chmod(0o666)
    project.write("prod")
    project.write("Prod")
    for name, told in (
        ("bad", "1:18: guard.confirm"),
        ("open", "everybody may write"),
        ("prod", "differ only in case"),
    ):
        with pytest.raises(ProfileError, match=told):
            Person("yes").run(f"approve_lm_profile {name}")
    with pytest.raises(ProfileError, match=r"no profiles/prd\.yaml in this folder.*Did you mean [Pp]rod\?"):
        Person("yes").run("approve_lm_profile prd")
    with pytest.raises(ProfileError, match=r"no profiles/\.\./x\.yaml"):
        Person("yes").run("approve_lm_profile ../x")


def test_all_of_a_project_are_approved_one_after_the_other(project):
    """Without a name each that is not approved is asked for."""
    project.approved("a")
    project.write("b")
    project.write("c")
    person = Person("yes", "no")
    with pytest.raises(GuardError, match=r"c\.yaml: not confirmed"):
        person.run("approve_lm_profile")
    assert len(person.asked) == 2
    assert known_profiles() == ["a", "b", "local"]
    found = Person("yes").run("approve_lm_profile")
    assert [record["Name"] for record in found] == ["a", "b", "c"]


def test_several_are_named_with_commas_and_by_path(project):
    """-Name takes a list; -Path a file or folder of another project too, which must be named profiles."""
    for name in "abc":
        project.write(name)
    assert [r["Name"] for r in Person().run("approve_lm_profile a,b -Force")] == ["a", "b"]
    assert Person().run("approve_lm_profile -Path profiles/c.yaml -Force")["Name"] == "c"
    os.chdir("/")
    assert len(Person().run(f"approve_lm_profile -Path {project.folder}/profiles -Force")) == 3
    with pytest.raises(ParameterError, match="only a project's profiles"):
        Person().run(f"approve_lm_profile -Path {project.own('x')} -Force".replace("/profiles/", "/profiles/../"))
    with pytest.raises(ProfileError, match="has no profiles/"):
        Person().run("approve_lm_profile a")


def test_revoking(project):
    """An approval is taken away, also of a file that is gone; -WhatIf leaves it."""
    path = project.approved("staging")
    assert Person().run("revoke_lm_profile staging -WhatIf") is NOTHING
    assert profile_named("staging") is not None
    with pytest.raises(GuardError):
        Person("no").run("revoke_lm_profile staging -Confirm")
    assert Person("yes").run("revoke_lm_profile staging -Confirm")["Status"] == "not approved"
    with pytest.raises(ProfileError, match="is not approved"):
        profile_named("staging")
    assert Person().run("revoke_lm_profile staging")["Status"] == "was not approved"
    project.approved("staging")
    path.unlink()
    assert Person().run(f"revoke_lm_profile -Path {path}")["Status"] == "not approved"
    with pytest.raises(ParameterError, match="needs a Name or a Path"):
        Person().run("revoke_lm_profile")


def test_every_profile_is_listed_with_what_is_wrong_with_it(project, aws):
    """Each place in the order of search, each file with its state; a bad file is a record, no error."""
    project.own("both")
    project.own("bad", "region: eu-west-1\nguard: {confrim: always}\n")
    project.write("both", GUARDED)
    project.write("new", GUARDED)
    project.approved("used", "inherits: both\nguard: {deny: [a]}\n")
    changed = project.approved("changed")
    changed.write_text("region: us-east-1\n")
    (project.folder / "profiles" / "open.yaml").write_text("region: eu-west-1\n")
    (project.folder / "profiles" / "open.yaml").chmod(0o666)
    found = {(r["Name"], r["Origin"]): r for r in lm.get_lm_profile()}
    states = {key: record["Status"] for key, record in found.items()}
    assert states.pop(("bad", "user")).startswith("error: Unknown key 'confrim' in guard. Did you mean confirm?")
    assert states.pop(("open", "project")).startswith("error: The profile is not read: everybody may write to")
    assert states == {
        ("both", "user"): "ok",
        ("both", "project"): "not approved",
        ("changed", "project"): "changed since it was approved",
        ("new", "project"): "not approved",
        ("used", "project"): "ok",
        ("local", "shipped"): "ok",
        ("production", "shipped"): "example, all comments",
        ("staging", "shipped"): "example, all comments",
        ("ops", "aws"): "ok",
    }
    assert found["bad", "user"]["Error"].startswith(f"{project.home}/.config/lmfunction/profiles/bad.yaml:2:9: ")
    assert found["used", "project"]["Inherits"] == ["both"]
    assert found["used", "project"]["Rules"]["Deny"] == ["a"]
    assert found["new", "project"]["Guard"] == "confirm; deny *-delete; at most 1,000 items"
    assert found["ops", "aws"]["Region"] == "eu-central-1"
    approvals().approve(pathlib.Path("profiles/both.yaml").absolute(), GUARDED.encode())
    again = lm.get_lm_profile("both")
    assert [r["Status"] for r in again] == ["ok", f"shadowed by {again[0]['File']}"]


def test_profiles_are_listed_by_name_and_piped(project, aws):
    """Names take wildcards, a name that nothing has is an error, and records flow into pipes."""
    project.own("prod-a", GUARDED)
    project.own("prod-b")
    assert [r["Name"] for r in lm.get_lm_profile("PROD-*")] == ["prod-a", "prod-b"]
    assert [r["Name"] for r in lm.get_lm_profile(["ops", "prod-a"])] == ["prod-a", "ops"]
    with pytest.raises(ProfileError, match=r"no profile 'prod'.*Did you mean prod-"):
        lm.get_lm_profile("prod")
    door = Door(scope=Scope({}))
    line = "get_lm_profile prod-* | where Account -eq 123456789012 | select Name, Guard"
    found = run_pipeline(line, Engine(), door, {})
    assert list(found) == [{"Name": "prod-a", "Guard": "confirm; deny *-delete; at most 1,000 items"}]
    tested = run_pipeline("get_lm_profile prod-* | test_lm_profile | select Name", Engine(), door, {})
    assert list(tested) == ["prod-a", "prod-b"]


def test_a_records_values_are_plain_data(project):
    """A record can be pickled and written as JSON, and has the members as attributes."""
    project.own("prod", GUARDED)
    (record,) = lm.get_lm_profile("prod")
    assert pickle.loads(pickle.dumps(record)) == record
    assert json.loads(json.dumps(record.to_dict()))["Rules"]["MaxItems"] == 1000
    assert (record.account, record.AWSProfile, record.region) == ("123456789012", "ops", "eu-west-1")


def test_testing_tells_every_fault_at_once(project):
    """All faults of a file stand in one error, each with file, line and column, in the order of the file."""
    path = project.own(
        "bad",
        "region: nowhere\n"
        "acount: 1\n"
        "account: 12345\n"
        "endpoint: http://evil.example\n"
        "guard:\n"
        "  confirm: yes\n"
        "  max_items: 0\n"
        '  deny: ["a:b"]\n'
        'redact: {patterns: ["("]}\n'
        "audit: x/\n",
    )
    with pytest.raises(ProfileError) as caught:
        lm.test_lm_profile("bad")
    places = [line.removeprefix(f"{path}:").partition(": ")[0] for line in str(caught.value).splitlines()]
    assert places == ["1:9", "2:1", "3:10", "4:11", "6:12", "7:14", "8:10", "9:21", "10:8"]
    assert "Did you mean account?" in str(caught.value)


def test_a_whole_folder_is_tested_and_unapproved_profiles_too(project, aws):
    """-Path takes a folder: one error for all its files. A project's profile can be tested before it is approved."""
    for name, text in (("a", "region: x\n"), ("b", GUARDED), ("c", "guard: {}\n")):
        project.write(name, text)
    with pytest.raises(ProfileError) as caught:
        lm.test_lm_profile(path="profiles")
    assert [line.rpartition("/")[2].partition(" ")[0] for line in str(caught.value).splitlines()] == [
        "a.yaml:1:9:",
        "c.yaml:1:8:",
    ]
    record = lm.test_lm_profile("b")
    assert (record["Approved"], record["Notices"]) == (False, [])
    assert lm.test_lm_profile(path="profiles/b.yaml")["Rules"]["MaxItems"] == 1000
    with pytest.raises(ParameterError, match="needs a Name or a Path"):
        lm.test_lm_profile()
    with pytest.raises(ProfileError, match="no YAML profile 'ops'"):
        lm.test_lm_profile("ops")
    with pytest.raises(ParameterError, match="exclude each other"):
        lm.test_lm_profile("b", path="profiles")


def test_a_file_alone_is_tested_as_it_is_used(project, tmp_path):
    """One file in a folder like /tmp can be tested as it can be used, by -Path or -ProfileLocation, its parents too."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    (folder / "base.yaml").write_text("guard: {deny: [a]}\n")
    (folder / "x.yaml").write_text("inherits: base\n")
    assert lm.test_lm_profile(path=str(folder / "x.yaml"))["Rules"]["Deny"] == ["a"]
    (folder / "x.yaml").write_text("region: eu-west-1\n")
    folder.chmod(0o1777)
    assert lm.test_lm_profile(path=str(folder / "x.yaml"))["Region"] == "eu-west-1"
    assert lm.test_lm_profile("x", profile_location=str(folder / "x.yaml"))["Region"] == "eu-west-1"
    with pytest.raises(ProfileError, match="everybody may write to"):
        lm.test_lm_profile("x", profile_location=str(folder))


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("defaults: {LogType: Tail, InvocationType: Bogus}", "1:43", "InvocationType is 'Bogus'"),
        ("region: eu-west-1\ndefaults:\n  Qualifier: a b", "3:14", "Qualifier 'a b' is not allowed"),
        ("defaults: {Force: yes, Confirm: 0}", "1:19", "Force is 'yes'; it must be True or False"),
        ("defaults: {TimeoutSec: 1:30}", "1:24", "TimeoutSec"),
    ],
)
def test_testing_reads_the_defaults_as_an_invocation_does(project, text, place, says):
    """A default that no invocation could take is a fault at its place, before the first call."""
    path = project.own("x", text + "\n")
    with pytest.raises(ProfileError) as caught:
        lm.test_lm_profile("x")
    assert str(caught.value).startswith(f"{path}:{place}: defaults: ")
    assert says in str(caught.value)


def test_testing_tells_what_is_odd(project, aws, tmp_path):
    """What is no fault but will surprise is a notice: an AWS profile that is not here, an audit out of reach."""
    (tmp_path / "file").touch()
    audit = f"{{file: '{tmp_path}/file/{{date}}.jsonl', required: true}}"
    project.own("x", f"aws_profile: opps\nregion: eu-west-1\naudit: {audit}\n")
    aws_notice, audit_notice = lm.test_lm_profile("x")["Notices"]
    assert "opps is not in ~/.aws" in aws_notice
    assert "/file/{date}.jsonl cannot be written" in audit_notice
    project.own("y", "endpoint: aws\n")
    assert lm.test_lm_profile("y")["Notices"] == ["It names no region: a line must, or boto3's own chain."]


def test_a_new_profile_passes_its_test(project, aws):
    """What is written says what was given, stands in the user's folder, is private, and is no fault."""
    record = lm.new_lm_profile("prod", region="eu-west-1", aws_profile="ops", account="012345678901")
    path = project.home / ".config" / "lmfunction" / "profiles" / "prod.yaml"
    assert record["File"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    tested = lm.test_lm_profile("prod")
    assert (tested["Region"], tested["AWSProfile"], tested["Account"]) == ("eu-west-1", "ops", "012345678901")
    assert tested["Notices"] == []


def test_a_new_profiles_comments_are_a_profile_too(project):
    """Each commented line of a new profile works once its mark is removed."""
    lm.new_lm_profile("base")
    lm.new_lm_profile("whole")
    path = project.own("whole", "")
    lm.new_lm_profile("whole", force=True)
    lines = path.read_text().splitlines()[1:]
    path.write_text("\n".join(line.removeprefix("# ").replace("inherits: team", "inherits: base") for line in lines))
    profile = profile_named("whole")
    assert profile.guard.max_items == 10_000
    assert profile.audit.required
    assert profile.redaction.keys == ("email", "phone")
    assert (profile.inherits, profile.account) == (("base",), "123456789012")


@pytest.mark.parametrize("value", ["ops admin", "null", "123456789012", "é", 'a"b', "a: b", "#x", "yes", "*a", "a\\b"])
def test_a_new_profile_keeps_what_it_was_given(project, value):
    """Any name that a profile of ~/.aws can have is written so that it is read back."""
    lm.new_lm_profile("x", aws_profile=value)
    assert profile_named("x").aws_profile == value


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({}, "Name"),
        ({"name": "../x"}, "Name"),
        ({"name": "CON"}, "Name"),
        ({"name": "a b"}, "Name"),
        ({"name": "x", "region": "nowhere"}, "Region"),
        ({"name": "x", "account": "12345"}, "Account"),
        ({"name": "x", "account": "１２３４５６７８９０１２"}, "Account"),
        ({"name": "x", "endpoint_url": "http://evil.example"}, "EndpointUrl"),
        ({"name": "x", "aws_profile": " "}, "AWSProfile"),
        ({"name": "x", "aws_profile": "a\nregion: us-east-1"}, "AWSProfile"),
        ({"name": "x", "inherits": ["../y"]}, "Inherits"),
        ({"name": "x", "path": "y.yaml"}, "Path"),
    ],
)
def test_a_new_profile_of_odd_parts_is_refused(project, arguments, parameter):
    """What could not stand in a profile is an error of its parameter, and nothing is written."""
    with pytest.raises(ParameterError) as caught:
        lm.new_lm_profile(**arguments)
    assert caught.value.parameter == parameter
    assert not any(project.folder.iterdir())
    assert not (project.home / ".config").exists()


def test_a_new_profile_replaces_nothing_unless_forced(project):
    """A file of the name is replaced with -Force alone; one of the other suffix or case never is."""
    lm.new_lm_profile("x", region="eu-west-1")
    with pytest.raises(ParameterError, match="-Force to replace it"):
        lm.new_lm_profile("x", region="us-east-1")
    assert profile_named("x").region == "eu-west-1"
    lm.new_lm_profile("x", region="us-east-1", force=True)
    assert profile_named("x").region == "us-east-1"
    for name in ("X", "x"):
        folder = project.folder / name
        folder.mkdir()
        (folder / ("x.yaml" if name == "X" else "x.yml")).write_text("region: eu-west-1\n")
        with pytest.raises(ParameterError, match="could not be told apart"):
            lm.new_lm_profile(name, path=str(folder), force=True)


def test_a_new_profile_goes_where_it_is_told(project):
    """-Path is a folder or a file; into a project's folder it is written unapproved; -WhatIf writes nothing."""
    plan = lm.new_lm_profile("x", path="profiles", region="eu-west-1", what_if=True)
    assert "region: eu-west-1" in repr(plan)
    assert not (project.folder / "profiles").exists()
    assert lm.new_lm_profile("x", path="elsewhere/x.yaml")["Origin"] == "location"
    record = lm.new_lm_profile("x", path="profiles", region="eu-west-1")
    assert (record["Origin"], record["Status"], record["Approved"]) == ("project", "not approved", False)
    assert lm.approve_lm_profile("x", force=True)["Region"] == "eu-west-1"


def test_a_new_profile_inherits_what_there_is(project):
    """-Inherits names profiles that are there, and what they add is part of the answer."""
    project.own("team", "guard: {confirm: always}\n")
    assert lm.new_lm_profile("x", inherits="team")["Guard"] == "confirm"
    with pytest.raises(ProfileError, match=r"no profile 'taem'.*Did you mean team"):
        lm.new_lm_profile("y", inherits=["taem"])
    assert profile_named("y") is None


def test_common_parameters(project):
    """-OutVariable and -ErrorVariable hold what was emitted and what went wrong; -ErrorAction lets the line go on."""
    project.own("x")
    person = Person()
    person.run("get_lm_profile x -OutVariable found")
    assert person.names["found"][0]["Name"] == "x"
    assert person.run("test_lm_profile y -ErrorAction Continue -ErrorVariable wrong") is NOTHING
    assert isinstance(person.names["wrong"][0], ProfileError)
    assert person.told[0][0] == "error"


def test_a_session_with_a_profile_lists_and_tests_profiles(project):
    """A session's own profile and region are for calls; these cmdlets make none."""
    project.own("x")
    with lm.Session(profile_name="local", region="us-east-1", timeout_sec=5) as session:
        assert [record["Name"] for record in session.get_lm_profile("x")] == ["x"]
        assert session.test_lm_profile("x")["Region"] == "eu-west-1"


def test_the_notice_of_what_is_left_out_comes_once(project):
    """A call through a project's profile tells what was left out of it, once for a session."""
    project.approved("x", "endpoint: embedded\nguard: {allow_force: true}\n")
    with lm.Session(profile_name="x") as session:
        with pytest.warns(lm.LMWarning, match=r"guard\.allow_force was left out"):
            session.invoke_lm("hello", what_if=True)
        session.invoke_lm("hello", what_if=True)  # any warning would be an error here


def test_the_same_parameter_twice_among_the_defaults(project):
    """Two spellings of one parameter are refused: which of them counts would not be clear."""
    project.own("x", "endpoint: embedded\ndefaults: {Confirm: true, cf: false}\n")
    with pytest.raises(ProfileError, match="cf and another name are the same -Confirm"):
        lm.invoke_lm("hello", profile_name="x", what_if=True)


def test_magics_and_functions_have_every_name():
    """Each cmdlet is found under its PowerShell and its Python name, at every door."""
    assert [(c.name, c.python_names) for c in PROFILE_CMDLETS] == [
        (f"{verb}-LMProfile", (f"{verb.lower()}_lm_profile",)) for verb in ("Get", "Test", "New", "Approve", "Revoke")
    ]
    for cmdlet in PROFILE_CMDLETS:
        function = getattr(lm, cmdlet.python_names[0])
        assert cmdlet.synopsis in " ".join(function.__doc__.split())
        for example in cmdlet.examples:
            assert find_cmdlet(example.line.split()[0]) is cmdlet


def terminal(*arguments, **options):
    command = [sys.executable, "-m", "lmfunction", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def test_at_the_terminal(project, aws):
    """JSON lines for programs, exit code 253 for a profile's fault, 255 where nobody can answer."""
    project.write("staging", GUARDED)
    refused = terminal("approve_lm_profile", "staging", stdin=subprocess.DEVNULL)
    assert (refused.returncode, refused.stdout) == (255, "")
    assert "nobody can answer here" in refused.stderr
    done = terminal("Approve-LMProfile", "staging", "--force")
    assert (done.returncode, json.loads(done.stdout)["Approved"]) == (0, True)
    listed = [json.loads(line) for line in terminal("get_lm_profile").stdout.splitlines()]
    assert (listed[0]["Name"], listed[0]["Origin"]) == ("staging", "project")
    project.own("bad", "acount: x\n")
    wrong = terminal("test_lm_profile", "bad")
    assert (wrong.returncode, wrong.stdout) == (253, "")
    assert "bad.yaml:1:1: Unknown key 'acount'. Did you mean account?" in wrong.stderr


def test_a_person_at_a_terminal_types_yes(project):
    """At a real terminal the file is shown, the question asked, and the answer taken."""
    project.write("staging", GUARDED)
    main, end = pty.openpty()
    command = [sys.executable, "-m", "lmfunction", "approve_lm_profile", "staging"]
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end)
    os.close(end)
    shown = b""
    while b"Type yes to go on: " not in shown:
        shown += os.read(main, 4096)
    os.write(main, b"yes\n")
    while True:
        try:
            shown += os.read(main, 4096)
        except OSError:
            break
    os.close(main)
    assert process.wait(60) == 0
    assert b"must be 123456789012" in shown
    assert profile_named("staging").account == "123456789012"


def test_in_a_notebook(project):
    """The magics show the table of profiles, and a question that nobody answers fails the cell."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    project.write("staging", GUARDED)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        shell.run_line_magic("load_ext", "lmfunction")
        shell.run_line_magic("config", 'LMFunction.profile_name = "local"')
        text = shell.display_formatter.format(shell.run_line_magic("get_lm_profile", ""))[0]["text/plain"]
        assert [line.split()[:2] for line in text.splitlines()[3:5]] == [["staging", "project"], ["local", "shipped"]]
        with pytest.raises(GuardError):
            shell.run_line_magic("Approve-LMProfile", "staging")
        assert shell.run_line_magic("approve_lm_profile", "staging -Force")["Approved"] is True
        with pytest.raises(ProfileError, match="Did you mean"):
            shell.run_line_magic("test_lm_profile", "stagin")
    finally:
        InteractiveShell.clear_instance()
