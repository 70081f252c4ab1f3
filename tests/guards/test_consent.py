"""What a consent is good for: what was shown, once, for ten minutes, in one process, as the same caller."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._batch import Batch
from lmfunction._cmdlets import Call, intent_of, prepare
from lmfunction._confirmation import LIFETIME, ask_for, told
from lmfunction._door import Door
from lmfunction._guards import confirm_repeats
from lmfunction._identity import Identity
from lmfunction.errors import GuardError

STAGING, PRODUCTION = "123456789012", "210987654321"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def made(desk: Any, function: str = "orders-api", **values: Any) -> Call:
    """The call, cleared and not yet sent."""
    where = {"ProfileName": "guarded", "ProfileLocation": str(desk.folder), "Credential": desk.cloud.keys[PRODUCTION]}
    call = prepare({"FunctionName": function, **where, **values}, desk.engine, desk.door())
    assert call is not None
    return call


@pytest.fixture
def clock(desk: Any) -> Clock:
    found = Clock()
    desk.engine = dataclasses.replace(desk.engine, clock=found)
    desk.profile(account=PRODUCTION, guard={"confirm": "always", "max_items": 4})
    desk.person.answers = ["orders-api"]
    return found


def test_the_question_tells_everything_and_the_essential_last(desk: Any, clock: Clock) -> None:
    """Account, region, ARN, qualifier, endpoint, identity, bytes; where only the end is seen, account and name are."""
    assert desk('invoke_lm orders-api -Qualifier live -Payload {"id": 1}').ok
    (question,) = desk.person.questions
    for part in (
        "Invoke-LMFunction through profile guarded",
        f"Identity: arn:aws:sts::{PRODUCTION}:assumed-role/Operator/ada",
        f"Endpoint: {desk.cloud.url}",
        "Payload: 9 bytes",
        "RequestResponse",
        f"Function: arn:aws:lambda:eu-west-1:{PRODUCTION}:function:orders-api   Qualifier: live",
    ):
        assert part in question
    assert question.split("\n")[-2:] == [
        f"Account: {PRODUCTION}   Region: eu-west-1",
        "Type orders-api to go on: ",
    ]


def test_nothing_shown_can_forge_the_question(desk: Any, clock: Clock) -> None:
    """I16: whatever came from outside stays on its line, its controls spelled out."""
    intent = intent_of(made(desk).plan)
    forged = dataclasses.replace(intent, lines=lambda: ["Tag: x\nAccount: dev\x1b[2J\u202e"])
    caller = Identity(PRODUCTION, "arn:aws:sts::1:user/a\nAccount: dev")
    lines, essential = told(forged, caller, PRODUCTION, "3")
    ask_for(intent.name, lines, essential, desk.door(), clock)
    question = desk.person.questions[-1]
    assert len(question.split("\n")) == len(lines) + 2
    assert "\\nAccount: dev" in question
    assert "\x1b" not in question
    assert "\u202e" not in question


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"payload": b'{"id":2}'}, "not what was confirmed"),
        ({"qualifier": "1"}, "not what was confirmed"),
        ({"invocation_type": "Event"}, "not what was confirmed"),
        ({"function_name": "billing"}, "not what was confirmed"),
        ({"client_context": "e30="}, "not what was confirmed"),
        ({}, None),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_consent_is_for_what_was_shown(change: dict[str, Any], says: str | None, desk: Any, clock: Clock) -> None:
    """I8: what was edited after the answer is not sent."""
    call = made(desk, Payload={"id": 1})
    edited = dataclasses.replace(
        call, plan=dataclasses.replace(call.plan, request=dataclasses.replace(call.plan.request, **change))
    )
    if says is None:
        assert edited.send(desk.engine).ok
        return
    with pytest.raises(GuardError, match=says):
        edited.send(desk.engine)
    assert desk.cloud.sent == []


def test_a_consent_is_used_once_and_not_for_long(desk: Any, clock: Clock) -> None:
    """I9: a second sending asks again, and so does one after ten minutes, also when the clock went back."""
    call = made(desk)
    assert call.send(desk.engine).ok
    with pytest.raises(GuardError, match=r"used up.*Run it again to be asked again"):
        call.send(desk.engine)
    for seconds, sent in ((LIFETIME, True), (LIFETIME + 1, False), (-1.0, False)):
        call, clock.now = made(desk), clock.now + seconds
        if sent:
            assert call.send(desk.engine).ok
        else:
            with pytest.raises(GuardError, match="older than ten minutes"):
                call.send(desk.engine)
    assert len(desk.cloud.invoked) == 2


def test_an_answer_can_come_too_late(desk: Any, clock: Clock) -> None:
    """The name typed an hour after the question was asked is no answer."""

    def late() -> str:
        clock.now += 3600
        return "orders-api"

    desk.person.answers = [late]
    with pytest.raises(GuardError, match="more than ten minutes"):
        desk("invoke_lm orders-api")
    assert desk.cloud.sent == []


def test_a_consent_stays_in_its_process(desk: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """I9: a forked kernel, which has another process id, asks again."""
    call = made(desk)
    with monkeypatch.context() as forked:
        forked.setattr("lmfunction._confirmation.os.getpid", lambda: -1)
        with pytest.raises(GuardError, match="given to another process"):
            call.send(desk.engine)
    assert desk.cloud.sent == []
    assert call.send(desk.engine).ok


@pytest.mark.parametrize(
    ("role", "session", "account", "sent"),
    [
        ("Operator", "ada", PRODUCTION, True),
        ("Operator", "renewed", PRODUCTION, True),
        ("Admin", "ada", PRODUCTION, False),
        ("Operator", "ada", "333333333333", False),
    ],
)
def test_the_caller_is_looked_at_again(
    role: str, session: str, account: str, sent: bool, desk: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I14: keys renewed between question and sending are fine; another role or account is a refusal."""
    call = made(desk)
    keys = desk.cloud.client("sts", STAGING).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName=session
    )["Credentials"]
    found = lm.Credential(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    monkeypatch.setattr("lmfunction._transport.Transport.credential", lambda _: found)
    desk.cloud.requests.clear()
    if sent:
        assert call.send(desk.engine).status_code == 200
    else:
        with pytest.raises(GuardError, match=f"credentials have changed.*{account}"):
            call.send(desk.engine)
    assert desk.cloud.asked == 1
    assert len(desk.cloud.invoked) == sent


def test_without_a_question_only_the_account_must_stay(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody was shown a caller, another role of the same account may send."""
    desk.profile(account=PRODUCTION)
    call = made(desk)
    keys = desk.cloud.client("sts", STAGING).assume_role(
        RoleArn=f"arn:aws:iam::{PRODUCTION}:role/Other", RoleSessionName="eve"
    )["Credentials"]
    found = lm.Credential(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    monkeypatch.setattr("lmfunction._transport.Transport.credential", lambda _: found)
    assert call.send(desk.engine).status_code == 200


def test_a_replay_passes_the_guards_again(desk: Any, clock: Clock) -> None:
    """`result.replay()` asks, and refuses what is no more allowed."""
    result = desk("invoke_lm orders-api")
    assert result.replay().ok
    assert len(desk.person.questions) == 2
    desk.person.answers = [None]
    with pytest.raises(GuardError, match="nobody can answer"):
        result.replay()
    assert len(desk.cloud.invoked) == 2


# --- several objects


def test_one_question_for_a_list(desk: Any, clock: Clock) -> None:
    """The number of objects is told; one consent is for all of them, in any number of threads."""
    run = desk("invoke_lm orders-api -InputObject $items", items=[{"n": n} for n in range(3)])
    assert len(run.succeeded) == 3
    (question,) = desk.person.questions
    assert question.split("\n")[-2] == f"Account: {PRODUCTION}   Region: eu-west-1   Objects: 3"
    assert "Payload" not in question
    assert desk.cloud.asked == 1


def test_a_refused_list_sends_nothing(desk: Any, clock: Clock) -> None:
    """Asked once, answered wrong: no object goes, and nobody is asked for the next one."""
    desk.person.answers = ["no"]
    for action in ("Stop", "Continue"):
        with pytest.raises(GuardError, match="not confirmed"):
            desk(f"invoke_lm orders-api -InputObject $items -ErrorAction {action}", items=[1, 2, 3])
    assert len(desk.person.questions) == 2
    assert desk.cloud.sent == []


def test_a_question_for_each_function(desk: Any, clock: Clock) -> None:
    """Objects that name their function: one question for each, however often and however it is spelled the same."""
    desk.person.answers = ["orders-api", "billing"]
    names = ["orders-api", "billing", f"arn:aws:lambda:eu-west-1:{PRODUCTION}:function:billing", "orders-api"]
    rows = [{"FunctionName": name, "Payload": {}} for name in names]
    desk.person.answers = ["orders-api", "billing", "billing"]
    assert desk("$rows | invoke_lm", rows=rows).ok
    ends = [question.split("\n")[-2].rpartition("   ")[2] for question in desk.person.questions]
    assert ends == ["Objects: 2 of 4", "Objects: 2 of 4"]


def test_all_questions_come_before_the_first_call(desk: Any, clock: Clock) -> None:
    """The second function refused: the first one's objects are not sent either."""
    desk.person.answers = ["orders-api", "no"]
    with pytest.raises(GuardError, match="billing: not confirmed"):
        desk("$rows | invoke_lm", rows=[{"FunctionName": name} for name in ("orders-api", "billing")])
    assert desk.cloud.sent == []


def test_a_denied_function_in_a_list_refuses_all(desk: Any) -> None:
    """Nothing is half done: the rules are asked of every object first."""
    desk.profile(guard={"deny": ["*-delete"]})
    with pytest.raises(GuardError, match=r"guard\.deny"):
        desk("$names | invoke_lm", names=["orders-api", "billing", "orders-delete"])
    assert desk.cloud.sent == []


@pytest.mark.parametrize("line", ["invoke_lm orders-api -InputObject $items", "$items | invoke_lm orders-api"])
def test_a_list_beyond_the_limit_is_refused(line: str, desk: Any, clock: Clock) -> None:
    """max_items counts before anybody is asked."""
    with pytest.raises(GuardError, match=r"takes 4 objects in one command.*and 5 came\. Nothing was sent"):
        desk(line, items=[1, 2, 3, 4, 5])
    assert (desk.person.questions, desk.cloud.requests) == ([], [])
    assert desk(line, items=[1, 2, 3, 4]).ok


def test_a_generator_stops_at_the_limit(desk: Any) -> None:
    """What comes one by one is sent up to the limit; the error holds what was."""
    desk.profile(guard={"max_items": 4})
    endless = iter(int, 1)
    with pytest.raises(lm.BulkError, match="Stopped at object 5: Profile guarded takes 4 objects") as caught:
        desk("invoke_lm orders-api -InputObject $items", items=endless)
    assert isinstance(caught.value.__cause__, GuardError)
    assert len(caught.value.result.succeeded) == len(desk.cloud.invoked) == 4


def test_an_unknown_number_is_said_and_needs_a_limit(desk: Any, clock: Clock) -> None:
    """I10: of a generator nobody knows the count; without max_items nobody can consent to it."""
    assert desk("invoke_lm orders-api -InputObject $items", items=(n for n in range(3))).ok
    assert desk.person.questions[0].split("\n")[-2].endswith("Objects: unknown, 4 at most")
    desk.profile(guard={"confirm": "always"})
    desk.cloud.requests.clear()
    with pytest.raises(GuardError, match=r"Nobody knows how many.*guard\.max_items"):
        desk("invoke_lm orders-api -InputObject $items", items=(n for n in range(3)))
    desk.profile()
    with pytest.raises(GuardError, match="Nobody knows how many"):
        desk("invoke_lm orders-api -InputObject $items -Confirm", items=(n for n in range(3)))
    assert (len(desk.person.questions), desk.cloud.sent) == (1, [])


def test_a_hint_of_length_is_not_believed(desk: Any, clock: Clock) -> None:
    """An iterator that lies about its length is one whose length nobody knows."""

    class Liar:
        def __init__(self) -> None:
            self.left = 6

        def __iter__(self) -> Liar:
            return self

        def __next__(self) -> int:
            self.left -= 1
            if self.left < 0:
                raise StopIteration
            return self.left

        def __length_hint__(self) -> int:
            return 1

    with pytest.raises(lm.BulkError, match="Stopped at object 5"):
        desk("invoke_lm orders-api -InputObject $items", items=Liar())
    assert "unknown" in desk.person.questions[0]
    assert len(desk.cloud.invoked) == 4


def test_retry_asks_again(desk: Any, clock: Clock) -> None:
    """`run.retry()` is another run: its guards are passed again, with the count of what is left."""
    run = desk("invoke_lm orders-api -InputObject $items -ErrorAction Continue", items=[1, {1, 2}, {3}])
    assert len(run.not_sent) == 2  # sets are no JSON
    assert len(desk.person.questions) == 1
    run.retry()
    assert desk.person.questions[1].split("\n")[-2].endswith("Objects: 2")


def test_a_pipeline_asks_for_each_of_its_calls(desk: Any, clock: Clock) -> None:
    """Two invocations in one line are two questions, the second before the second call."""
    desk.person.answers = ["orders-api", "no"]
    with pytest.raises(GuardError, match="billing: not confirmed"):
        desk("invoke_lm orders-api | invoke_lm billing")
    assert desk.cloud.invoked == ["orders-api"]


def test_a_later_stage_that_is_denied_stops_the_first(desk: Any) -> None:
    """What the rules refuse is known before the first stage sends."""
    desk.profile(guard={"deny": ["*-delete"]})
    with pytest.raises(GuardError, match=r"guard\.deny"):
        desk("invoke_lm orders-api | invoke_lm orders-delete")
    assert desk.cloud.sent == []


def test_a_cmdlet_over_many_names_is_limited_too(desk: Any) -> None:
    """max_items holds for whatever changes functions; reading goes on."""
    desk.profile(guard={"max_items": 2})
    line = "$names | Write-LMFunctionConcurrency -ReservedConcurrentExecutions 1"
    with pytest.raises(GuardError, match="takes 2 objects"):
        desk(line, names=["orders-api", "billing", "orders-delete"])
    assert desk.cloud.sent == []
    desk("$names | Get-LMFunction", names=["orders-api", "billing", "orders-delete"])
    assert len(desk.cloud.sent) == 3


def test_no_object_of_a_pipe_carries_force(desk: Any, clock: Clock) -> None:
    """A column called Force is data, not a person."""
    desk.profile(guard={"confirm": "always", "allow_force": True, "max_items": 4})
    desk.person.answers = [None]
    with pytest.raises(GuardError, match="nobody can answer"):
        desk("$rows | invoke_lm", rows=[{"FunctionName": "orders-api", "Force": True, "Confirm": False}])
    assert desk.cloud.sent == []


def test_objects_that_name_their_profile_are_guarded_by_it(desk: Any) -> None:
    """A row's own ProfileName brings that profile's rules, before the first row is sent."""
    desk.profile("free")
    desk.profile("strict", guard={"allow": ["billing"]})
    rows = [{"FunctionName": "orders-api", "ProfileName": name} for name in ("free", "strict")]
    from lmfunction._commands import run_pipeline

    where = {"ProfileLocation": str(desk.folder), "Credential": desk.cloud.keys[PRODUCTION]}
    desk.names["rows"] = rows
    with pytest.raises(GuardError, match=r"guard\.allow"):
        run_pipeline("$rows | invoke_lm", desk.engine, desk.door(), where)
    assert desk.cloud.sent == []


# --- -WhatIf


def test_what_if_shows_one_plan_and_asks_nobody(desk: Any, clock: Clock, nothing: Any) -> None:
    """I5: functions with their counts, bytes, ARN; no request, not even to STS, and no question."""
    desk.person.answers = [AssertionError("asked")]
    names = ["orders-api", "orders-api:live", "orders-api"]
    assert desk("$rows | invoke_lm -WhatIf", rows=[{"FunctionName": n, "Payload": {"n": 1}} for n in names]) is nothing
    assert desk("invoke_lm orders-api -InputObject $g -WhatIf", g=(n for n in range(4))) is nothing
    first, second = desk.shown
    assert (first.count, first.total_bytes, second.count) == (3, 21, 4)
    assert [(plan.request.label, count) for plan, count in first.targets] == [("orders-api", 2), ("orders-api:live", 1)]
    text = repr(first)
    assert text.startswith('What if: Performing the operation "Invoke-LMFunction" 2 times on target "orders-api"')
    assert f"account {PRODUCTION}, region eu-west-1, arn:aws:lambda:eu-west-1:{PRODUCTION}:function:orders-api" in text
    bundle = first._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    for kind in ("text/plain", "text/html"):
        assert "3 invocations of 2 functions" in data[kind]
        assert "nothing was sent" in data[kind]
    assert desk.cloud.requests == []


def test_what_if_tells_the_account_when_it_is_known(desk: Any) -> None:
    """From the profile, from an ARN, or from the last call; otherwise it says that it was not asked."""
    desk.profile(guard={"deny": [f"arn:aws:lambda:*:{STAGING}:function:*"]})
    desk("invoke_lm orders-api -WhatIf")
    desk("invoke_lm orders-api")
    desk("invoke_lm orders-api -WhatIf")
    desk(f"invoke_lm {PRODUCTION}:function:orders-api:live -WhatIf")
    desk.profile(account=PRODUCTION)
    desk("invoke_lm billing -WhatIf")
    unknown, remembered, named, by_profile = desk.shown
    assert (unknown.account, unknown.arn) == ("that of the credentials (not asked)", None)
    assert {plan.account for plan in (remembered, named, by_profile)} == {PRODUCTION}
    assert by_profile.arn == f"arn:aws:lambda:eu-west-1:{PRODUCTION}:function:billing"
    assert (desk.cloud.asked, len(desk.cloud.sent)) == (1, 1)


def test_what_if_tells_what_would_be_refused(desk: Any) -> None:
    """A dry run of a notebook fails where the notebook would, as far as that can be known here."""
    desk.profile(account=PRODUCTION, guard={"deny": ["*-delete"], "max_items": 2})
    for line in (
        "invoke_lm orders-delete -WhatIf",
        f"invoke_lm {STAGING}:function:orders-api -WhatIf",
        "invoke_lm orders-api -InputObject $(range(3)) -WhatIf",
        "Remove-LMFunction orders-delete -WhatIf",
    ):
        with pytest.raises(GuardError):
            desk(line)
    assert (desk.shown, desk.cloud.requests) == ([], [])


def test_a_bad_object_is_counted_in_the_plan(desk: Any, nothing: Any) -> None:
    """With ErrorAction Continue the plan tells what would be refused of the objects, and why."""
    desk.profile()
    assert desk("invoke_lm orders-api -InputObject $items -WhatIf -ErrorAction Continue", items=[{1}, 2]) is nothing
    (plan,) = desk.shown
    assert (plan.count, len(plan.refused), plan.refused[0][0]) == (2, 1, 1)
    assert "1 of 2 would be refused" in repr(plan)


# --- AtLeastOnce


@pytest.mark.parametrize(
    ("keys", "arguments", "answer", "outcome"),
    [
        ({}, {}, None, "free"),
        ({"account": PRODUCTION}, {}, "twice", "asked"),
        ({"account": PRODUCTION}, {}, "orders-api", "refused"),
        ({"account": PRODUCTION}, {}, "", "refused"),
        ({"account": PRODUCTION}, {}, None, "refused"),
        ({"account": PRODUCTION}, {"force": True}, None, "refused"),
        ({"guard": {"confirm": "always"}}, {"force": True, "confirm": False}, None, "refused"),
        ({"guard": {"confirm": "always", "allow_force": True}}, {"force": True}, None, "free"),
        ({"guard": {"allow": ["orders-*"]}}, {}, "twice", "asked"),
        ({"account": PRODUCTION}, {"durable_execution_name": "n"}, None, "free"),
    ],
)
def test_at_least_once_is_a_consent_of_its_own(
    keys: dict[str, Any], arguments: dict[str, Any], answer: str | None, outcome: str, desk: Any
) -> None:
    """I18: through a guarded profile somebody must say `twice`; the function's name is not that."""
    desk.profile(**keys)
    desk.person.answers = ["orders-api"]
    intent = intent_of(made(desk).plan)
    desk.person.questions.clear()
    desk.person.answers = [answer]
    if outcome == "refused":
        with pytest.raises(GuardError, match=r"[Nn]othing was sent"):
            confirm_repeats(intent, arguments, desk.engine, desk.door())
    else:
        confirm_repeats(intent, arguments, desk.engine, desk.door())
    assert len(desk.person.questions) == (outcome != "free")
    assert all("Type twice to go on" in question for question in desk.person.questions)


def test_a_batch_is_closed_for_good() -> None:
    """Once a limit was reached, or a consent refused, the reason is there for who feeds the calls."""
    batch = Batch(None)
    with pytest.raises(GuardError), batch.closing():
        raise GuardError("no")
    assert str(batch.closed) == "no"


def test_nobody_at_a_door(someone: Callable[..., Any]) -> None:
    """A door without anybody gives None, and that is what is told apart from a wrong answer."""
    assert ask_for("f", [], "", Door(), lambda: 0.0) is None
    with pytest.raises(GuardError):
        ask_for("f", [], "", Door(ask=someone("")), lambda: 0.0)
