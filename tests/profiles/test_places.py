"""Where profiles are searched, whose files are trusted, and what a project's profile needs before it is used."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import stat
import subprocess
import sys

import pytest

import lmfunction as lm
from lmfunction import _profile_files
from lmfunction._connection import profile_of
from lmfunction._profile import find_profile, known_profiles, load_profile, profile_named
from lmfunction._profile_approvals import approvals
from lmfunction.errors import ProfileError

REGION = "region: eu-west-1\n"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes of files are POSIX's")


def approve(path):
    approvals().approve(path, path.read_bytes())
    return path


def test_a_projects_profile_is_used_once_it_is_approved(project):
    """Unapproved it is an error that says what to do; approved it is read, and its origin told."""
    path = project.write("mine")
    told = r"profiles/mine\.yaml in this folder is not approved: look at it, then Approve-LMProfile mine\."
    with pytest.raises(ProfileError, match=told):
        profile_named("mine")
    approve(path)
    assert profile_named("mine").origin == "project"
    assert find_profile("mine") == path
    assert load_profile(path).origin == "project"


def test_any_edit_takes_the_approval_away(project):
    """Another content of the same length, at the same time stamp, is not approved; the old content is again."""
    path = project.approved("mine", "region: eu-west-1\n")
    assert profile_named("mine").region == "eu-west-1"
    state = path.stat()
    path.write_text("region: eu-west-2\n")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(ProfileError, match="changed since it was approved"):
        profile_named("mine")
    path.write_text("region: eu-west-1\n")
    assert profile_named("mine").region == "eu-west-1"


def test_an_approval_is_for_one_path(project, tmp_path, monkeypatch):
    """The same content in another folder, or under another name, is not approved."""
    path = project.approved("mine")
    project.write("copy", path.read_text())
    with pytest.raises(ProfileError, match=r"copy\.yaml in this folder is not approved"):
        profile_named("copy")
    other = tmp_path / "other" / "profiles"
    other.mkdir(parents=True)
    (other / "mine.yaml").write_bytes(path.read_bytes())
    monkeypatch.chdir(other.parent)
    with pytest.raises(ProfileError, match="is not approved"):
        profile_named("mine")


def test_approvals_are_kept_private_and_forged_ones_do_not_count(project):
    """The record is readable by its owner alone; one that others can write, or that tells of another file, is none."""
    path = project.approved("mine")
    (record,) = approvals().folder.iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(approvals().folder.stat().st_mode) == 0o700
    assert json.loads(record.read_text())["file"] == str(path)
    held = record.read_text()
    for text, mode in ((held, 0o666), (held.replace("mine", "nine"), 0o600), ("[]", 0o600), ("{", 0o600)):
        record.write_text(text)
        record.chmod(mode)
        with pytest.raises(ProfileError, match="is not approved"):
            profile_named("mine")


def test_no_parent_directory_is_searched(project, monkeypatch):
    """A profile that is approved for a folder is not used from the folders below it."""
    project.approved("mine")
    below = pathlib.Path("below")
    below.mkdir()
    monkeypatch.chdir(below)
    assert profile_named("mine") is None


def test_a_working_directory_that_is_gone_has_no_profiles(project, monkeypatch, tmp_path):
    """The search goes on where the working directory does not exist any more."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert profile_named("local").origin == "shipped"


def test_an_unapproved_local_does_not_break_local(project):
    """A project's file that nobody approved stands in nobody's way: the shipped one is taken, with a notice."""
    project.write("local", "endpoint: https://lambda.eu-west-1.amazonaws.com\n")
    profile = profile_named("local")
    assert (profile.origin, profile.endpoint) == ("shipped", "embedded")
    assert "profiles/local.yaml in this folder is not approved" in profile.notices[0]
    approve(pathlib.Path("profiles/local.yaml").absolute())
    assert profile_named("local").origin == "project"


def test_an_unapproved_profile_is_not_passed_over_for_an_aws_profile(project, tmp_path, monkeypatch):
    """The guards that a project wants are not lost because ~/.aws has a profile of the name, nor to an example."""
    config = tmp_path / "config"
    config.write_text("[profile staging]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert profile_of({"profile_name": "staging"})[1] == "staging"  # the shipped example is no profile
    project.write("staging", "guard: {confirm: always}\n")
    with pytest.raises(ProfileError, match="is not approved"):
        profile_of({"profile_name": "staging"})


def test_a_users_profile_wins_over_an_approved_one_of_a_project(project):
    """A project cannot take the guards of the user's own profile away by a profile of its name."""
    project.own("prod", "guard: {confirm: always}\n")
    project.approved("prod", "region: eu-west-1\n")
    profile = profile_named("prod")
    assert (profile.origin, profile.guard.confirm) == ("user", True)


@pytest.mark.parametrize("child", ["user", "location", "environment"])
def test_only_a_project_inherits_from_a_project(project, tmp_path, monkeypatch, child):
    """Profiles of one's own look for parents everywhere but in the working directory."""
    project.approved("base")
    folder = tmp_path / child
    path = project.own("heir", "inherits: base\n") if child == "user" else folder / "heir.yaml"
    if child != "user":
        folder.mkdir()
        path.write_text("inherits: base\n")
    location = str(folder) if child == "location" else None
    if child == "environment":
        monkeypatch.setenv("LMFUNCTION_PROFILES", str(folder))
    with pytest.raises(ProfileError, match="only a profile there can inherit from it") as caught:
        profile_named("heir", location=location)
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(path), 1, 11)


def test_a_project_inherits_from_its_own_and_from_the_users(project):
    """A project's parents may be the user's, or the project's once they are approved too."""
    project.own("house", "guard: {deny: [a]}\n")
    project.approved("heir", "inherits: [house, base]\n")
    base = project.write("base", "guard: {deny: [b]}\n")
    with pytest.raises(ProfileError, match=r"base\.yaml in this folder is not approved") as caught:
        profile_named("heir")
    assert (caught.value.line, caught.value.column) == (1, 11)
    approve(base)
    assert profile_named("heir").guard.deny == ("a", "b")


def test_the_order_of_places(project, tmp_path, monkeypatch):
    """-ProfileLocation, the environment's folders, the user's, the project's, then the shipped ones."""
    folders = [tmp_path / name for name in ("location", "first", "second")]
    for folder in folders:
        folder.mkdir()
        (folder / "local.yaml").write_text(REGION)
    monkeypatch.setenv("LMFUNCTION_PROFILES", os.pathsep.join(map(str, folders[1:])))
    paths = [*(f / "local.yaml" for f in folders), project.own("local"), project.approved("local")]
    origins = ["location", "environment", "environment", "user", "project"]
    assert profile_named("local", location=str(folders[0])).origin == "location"
    for path, origin in zip(paths, origins, strict=True):
        location = str(folders[0]) if origin == "location" else None
        found = profile_named("local", location=location)
        assert (found.file, found.origin) == (str(path), origin)
        path.unlink()
    assert profile_named("local").origin == "shipped"


def test_a_projects_folder_that_was_named_needs_no_approval(project):
    """Who names the folder with -ProfileLocation or the environment chose it."""
    path = project.write("mine")
    assert profile_named("mine", location="profiles").origin == "location"
    environ = {**os.environ, "LMFUNCTION_PROFILES": str(path.parent)}
    assert profile_named("mine", environ=environ).origin == "environment"


def test_the_source_trees_own_profiles_are_the_shipped_ones(monkeypatch):
    """In the package's own checkout `profiles/` is the shipped folder, which needs no approval."""
    from lmfunction._profile import shipped_folder

    monkeypatch.chdir(shipped_folder().parent)
    profile = profile_named("local")
    assert (profile.origin, profile.notices) == ("shipped", ())


# Modes: file, folder -> whether it is used, where the user named it, and where not.
@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "named", "says"),
    [
        (0o644, 0o755, True, None),
        (0o600, 0o700, True, None),
        (0o646, 0o755, False, "everybody may write to"),
        (0o644, 0o757, False, "everybody may write to"),
        (0o666, 0o777, False, "chmod o-w"),
        (0o644, 0o1777, False, "everybody may write to"),
        (0o664, 0o755, True, "the group 12345 may write to"),
        (0o644, 0o775, True, "chmod g-w"),
    ],
)
@pytest.mark.parametrize("place", ["location", "environment", "user", "project"])
def test_who_else_can_write(project, monkeypatch, tmp_path, place, file_mode, folder_mode, named, says):
    """What everybody can write is never used; what a group can write only where the user named the place."""
    folder = {"user": project.own("x").parent, "project": tmp_path / "work" / "profiles"}.get(place, tmp_path / place)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "x.yaml"
    path.write_text(REGION)
    approve(path)
    monkeypatch.setattr(_profile_files, "_is_private_group", lambda group, owner: False)
    real = pathlib.Path.stat
    monkeypatch.setattr(
        pathlib.Path,
        "stat",
        lambda self, **k: _in_group(real(self, **k)) if self in (path, folder) else real(self, **k),
    )
    path.chmod(file_mode)
    folder.chmod(folder_mode)
    if place == "environment":
        monkeypatch.setenv("LMFUNCTION_PROFILES", str(folder))
    location = str(folder) if place == "location" else None
    if place != "user":
        project.own("x").unlink()
    if says is None or (named and place in ("location", "environment")):
        assert profile_named("x", location=location).origin == place
    else:
        with pytest.raises(ProfileError, match=says):
            profile_named("x", location=location)
        assert "x" not in known_profiles(location=location)


def _in_group(found):
    values = list(found)
    values[stat.ST_GID] = 12345
    extra = {name: getattr(found, name) for name in ("st_mtime_ns", "st_ctime_ns", "st_atime_ns")}
    return os.stat_result(values, extra)


@pytest.mark.parametrize("place", ["location", "environment", "user", "project"])
def test_another_users_files_are_used_only_where_they_were_named(project, monkeypatch, tmp_path, place):
    """A file of another user is refused in the user's folder and in a project, as git refuses its repositories."""
    folder = {"user": project.own("x").parent, "project": tmp_path / "work" / "profiles"}.get(place, tmp_path / place)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x.yaml").write_text(REGION)
    approve(folder / "x.yaml")
    if place != "user":
        project.own("x").unlink()
    monkeypatch.setattr(_profile_files, "_own_ids", lambda: (987654,))
    if place == "environment":
        monkeypatch.setenv("LMFUNCTION_PROFILES", str(folder))
    location = str(folder) if place == "location" else None
    if place in ("location", "environment"):
        assert profile_named("x", location=location).origin == place
    else:
        with pytest.raises(ProfileError, match=r"belongs to another user \(uid \d+\); name its folder with -ProfileL"):
            profile_named("x", location=location)


def test_a_private_group_is_nobody_else(project):
    """Under umask 002 everything is group-writable, by a group that holds its user alone: that is used as it is."""
    import grp
    import pwd

    group = grp.getgrgid(os.getgid())
    user = pwd.getpwuid(os.getuid())
    assert _profile_files._is_private_group(user.pw_gid, user.pw_uid) is (
        group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    )
    assert not _profile_files._is_private_group(2**31 - 5, user.pw_uid)


def test_a_file_alone_in_a_folder_that_everybody_uses(project, tmp_path):
    """/tmp is sticky: nobody else can replace a file there, so that one named by itself is used."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    (folder / "x.yaml").write_text(REGION)
    folder.chmod(0o1777)
    assert profile_named("x", location=str(folder / "x.yaml")).region == "eu-west-1"
    folder.chmod(0o777)
    with pytest.raises(ProfileError, match="everybody may write"):
        profile_named("x", location=str(folder / "x.yaml"))


def test_links_out_of_a_project_are_refused_and_dotfiles_may_be_links(project, tmp_path):
    """A project's profile is a file of the project; the user's own may stand elsewhere, as dotfile managers have it."""
    outside = tmp_path / "outside.yaml"
    outside.write_text(REGION)
    (tmp_path / "work" / "profiles").mkdir()
    link = tmp_path / "work" / "profiles" / "x.yaml"
    link.symlink_to(outside)
    approve(outside)
    approve(link)
    with pytest.raises(ProfileError, match="symbolic link"):
        profile_named("x")
    link.unlink()
    project.own("x").unlink()
    (project.own("y").parent / "x.yaml").symlink_to(outside)
    assert profile_named("x").origin == "user"


def test_a_projects_folder_that_is_a_link_is_refused(project, tmp_path):
    """`profiles/` itself must be a folder of the project."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    approve(elsewhere / "x.yaml") if (elsewhere / "x.yaml").write_text(REGION) else None
    (tmp_path / "work" / "profiles").symlink_to(elsewhere)
    with pytest.raises(ProfileError, match="symbolic link"):
        profile_named("x")


@pytest.mark.parametrize("place", ["location", "project"])
def test_g29_two_names_that_differ_in_case_alone(project, tmp_path, place):
    """`Prod` and `prod` in one folder are refused, whichever is asked for: some systems have one file for both."""
    location = "profiles" if place == "location" else None
    for name in ("prod", "Prod"):
        project.approved(name)
    for name in ("prod", "Prod"):
        with pytest.raises(ProfileError, match=r"Prod\.yaml and prod\.yaml in .* differ only in case"):
            profile_named(name, location=location)
    assert profile_named("PROD", location=location) is None


def test_g29_a_case_clash_is_one_over_both_suffixes(project):
    """`Prod.yml` beside `prod.yaml` clashes too."""
    project.write("prod")
    project.write("Prod", suffix=".yml")
    with pytest.raises(ProfileError, match="differ only in case"):
        profile_named("prod", location="profiles")


@pytest.mark.parametrize("name", ["CON", "con", "Nul", "prn", "AUX", "com1", "LPT9", "con.prod", "prod."])
def test_g29_names_that_windows_cannot_have(project, name):
    """Devices' names and a dot at the end are no names of profiles: files of them are listed with the reason."""
    project.write(name)
    assert profile_named(name, location="profiles") is None
    assert name not in known_profiles(location="profiles")
    (record,) = (r for r in lm.get_lm_profile(profile_location="profiles") if r["File"].startswith("profiles"))
    assert "cannot be a profile's name" in record["Status"]


def test_g30_a_project_with_two_files_of_a_name(project):
    """NAME.yaml and NAME.yml are ambiguous in a project too."""
    project.approved("prod")
    project.approved("prod", suffix=".yml")
    with pytest.raises(ProfileError, match="both stand in"):
        profile_named("prod")


def test_what_is_no_file_does_not_hold_up(project, tmp_path):
    """A pipe, a folder or a link to nowhere of a profile's name is refused or passed by, at once."""
    (tmp_path / "work" / "profiles").mkdir()
    os.mkfifo("profiles/pipe.yaml")
    pathlib.Path("profiles/folder.yaml").mkdir()
    pathlib.Path("profiles/nowhere.yaml").symlink_to("missing")
    with pytest.raises(ProfileError, match="no regular file"):
        profile_named("pipe", location="profiles")
    assert profile_named("folder", location="profiles") is None
    with pytest.raises(ProfileError, match="cannot be read: No such file"):
        profile_named("nowhere", location="profiles")


LIMITS = [
    ("endpoint: https://lambda.eu-west-1.amazonaws.com", {"endpoint": "https://lambda.eu-west-1.amazonaws.com"}),
    ("endpoint: https://lambda-fips.us-gov-west-1.amazonaws.com", {}),
    ("endpoint: https://vpce-0a1b-x.lambda.eu-west-1.vpce.amazonaws.com", {}),
    ("endpoint: https://lambda.eu-west-1.api.aws", {}),
    ("endpoint: https://lambda.cn-north-1.amazonaws.com.cn", {}),
    ("endpoint: http://127.0.0.1:3001", {"endpoint": "http://127.0.0.1:3001"}),
    ("endpoint: embedded", {"endpoint": "embedded"}),
    ("audit: ../audit/{date}.jsonl", {}),
    ("audit: {file: a.jsonl, required: true}", {}),
    ("defaults: {LogType: Tail, error_action: Stop, Confirm: true, cf: true, WhatIf: true}", {"notices": ()}),
]


@pytest.mark.parametrize(("text", "members"), LIMITS, ids=lambda v: v if isinstance(v, str) else "")
def test_what_a_project_may_say(project, text, members):
    """AWS's own hosts, this machine, files of the project and defaults that loosen nothing."""
    project.approved("x", f"{text}\n")
    profile = profile_named("x")
    assert dataclasses.replace(profile, **members) == profile
    assert profile.notices == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("endpoint: https://evil.example", "another host"),
        ("endpoint: https://x.execute-api.eu-west-1.amazonaws.com", "another host"),
        ("endpoint: https://lambda.eu-west-1.amazonaws.com.evil.example", "another host"),
        ("endpoint: https://lambda.evil.amazonaws.com", "another host"),
        ("endpoint: https://127.0.0.2", "another host"),
        ("audit: /etc/x.jsonl", "by a relative path"),
        ("audit: ~/x.jsonl", "by a relative path"),
        ("audit: ../../x.jsonl", "by a relative path"),
        ("audit: {file: ../../../../etc/cron.d/x}", "by a relative path"),
        ("audit: link/x.jsonl", "by a relative path"),
        ("credential_process: sh -c ls", "Unknown key 'credential_process'. Credentials stay in"),
        ("verify: false", "Unknown key 'verify'. Certificates are always checked"),
        ("ca_bundle: x.pem", "Certificates are always checked"),
        ("proxy: http://evil", "Set a proxy in the environment"),
        ("defaults: {ClientConfi: x}\nsession_token: x", "Credentials stay in"),
    ],
    ids=lambda v: v if ":" in v else "",
)
def test_g35_what_a_project_may_not_say(project, tmp_path, text, says):
    """Also an approved project profile sends nothing to another host and writes nothing outside its project."""
    path = project.approved("x", f"{text}\n")
    (path.parent / "link").symlink_to(tmp_path)
    with pytest.raises(ProfileError) as caught:
        profile_named("x")
    assert says in str(caught.value)
    assert caught.value.line is not None


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("guard: {confirm: always, allow_force: true}", "guard.allow_force"),
        ("defaults: {Force: true}", "Force: true"),
        ("defaults: {Confirm: false}", "Confirm: false"),
        ("defaults: {wi: false}", "wi: false"),
        ("defaults: {Conf: false}", "Conf: false"),
        ('defaults: {ClientConfig: \'{"proxies": {"https": "http://evil"}}\'}', "ClientConfig"),
        ("defaults: {Cl: 'a=b'}", "Cl: a=b"),
        ("defaults: {PayloadStream: 'file://~/.aws/credentials'}", "PayloadStream"),
        ("defaults: {ErrorAction: SilentlyContinue}", "ErrorAction"),
        ("defaults: {ea: silentlycontinue}", "ea"),
        ("defaults: {Delivery: AtLeastOnce}", "Delivery"),
        ("defaults: {OutVariable: x}", "OutVariable"),
        ("defaults: {ErrorVariable: x}", "ErrorVariable"),
    ],
)
def test_what_is_left_out_of_a_projects_profile_is_told(project, text, left_out):
    """A project can add guards and not loosen them: what would is left out with a notice; the user's own says it."""
    project.approved("x", f"{text}\n")
    profile = profile_named("x")
    assert not profile.guard.allow_force
    assert dict(profile.defaults) == {}
    (notice,) = profile.notices
    assert left_out in notice
    project.own("x", f"{text}\n")
    profile = profile_named("x")
    assert profile.notices == ()
    assert profile.guard.allow_force or profile.defaults


def test_a_shipped_profiles_audit_stands_in_the_users_state(project, monkeypatch, tmp_path):
    """What the package brings writes into no folder of the package."""
    from lmfunction import _profile_places

    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "demo.yaml").write_text("endpoint: embedded\naudit: audit/{date}.jsonl\n")
    monkeypatch.setattr(_profile_places, "shipped_folder", lambda: shipped)
    profile = profile_named("demo")
    assert profile.origin == "shipped"
    assert profile.audit.file == str(tmp_path / "home/.local/state/lmfunction/audit/{date}.jsonl")


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="Linux tells the peak of a process there")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        ("path.write_bytes(b'[' * 3000)", "nested deeper"),
        ("path.write_bytes(b'')\nwith path.open('r+b') as f: f.truncate(100_000_000)", "larger than"),
        ("path.write_bytes(b''.join(b'k%d: x\\n' % n for n in range(1_000_000)))", "larger than"),
        (
            "path.write_bytes(b'a: &a [x]\\n' + b''.join(b'b%d: &b%d [*a,*a]\\n' % (n, n) for n in range(20)))",
            "anchors",
        ),
    ],
    ids=["G18 deep", "G19 huge", "G20 many keys", "G16 bomb"],
)
def test_g18_to_g20_what_is_meant_to_exhaust_is_refused_at_once(tmp_path, make, says):
    """A process of its own refuses it in under a second, within 100 MB in all, the imports counted too."""
    program = f"""
import pathlib, re, sys, time
path = pathlib.Path({str(tmp_path / "x.yaml")!r})
if sys.argv[1] == "write":
    {make.replace(chr(10), chr(10) + "    ")}
    sys.exit()
import lmfunction._profile, lmfunction._yaml
start = time.perf_counter()
try:
    lmfunction._profile.load_profile(path)
except lmfunction.errors.ProfileError as error:
    print(error)
seconds = time.perf_counter() - start
# Not getrusage: its figure begins with that of the process which started this one.
print(seconds, re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""
    for step in ("write", "read"):
        done = subprocess.run(
            [sys.executable, "-c", "import lmfunction.errors\n" + program, step],
            capture_output=True,
            text=True,
            check=True,
        )
    told, figures = done.stdout.strip().split("\n")
    seconds, kilobytes = map(float, figures.split())
    assert says in told
    assert seconds < 1
    assert kilobytes < 100_000
