"""Accounts, allow and deny, who is asked: tables against two accounts on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._guards import Clearance
from lmfunction.errors import GuardError, LMError, ProfileError, ServiceError
from lmfunction.local._child import start_embedded

STAGING, PRODUCTION = "123456789012", "210987654321"


def test_the_account_is_asked_once_and_must_match(desk: Any, cloud: Any) -> None:
    """The right keys: STS is asked once for many calls. The wrong ones: nothing is invoked, both accounts are named."""
    desk.profile(account=PRODUCTION)
    for _ in range(3):
        assert desk("invoke_lm orders-api").ok
    desk("Get-LMFunctionConfiguration orders-api")
    assert (cloud.asked, len(cloud.invoked)) == (1, 3)
    with pytest.raises(GuardError) as caught:
        desk("invoke_lm orders-api", STAGING)
    assert f"is for account {PRODUCTION}, and the credentials belong to {STAGING}" in str(caught.value)
    assert "Nothing was sent" in str(caught.value)
    with pytest.raises(GuardError):
        desk("Get-LMFunctionConfiguration orders-api", STAGING)
    assert (cloud.asked, len(cloud.invoked)) == (2, 3)


def test_no_rule_no_question_to_sts(desk: Any, cloud: Any) -> None:
    """A profile that guards nothing, or nothing that needs an account, asks nobody."""
    desk.profile()
    desk("invoke_lm orders-api")
    desk.profile("named", guard={"allow": ["orders-*"], "max_items": 5})
    desk("invoke_lm orders-api -ProfileName named")
    desk.person.answers = ["orders-api"]
    desk("invoke_lm orders-api -Confirm")
    assert "Identity: not asked" in desk.person.questions[0]
    assert (cloud.asked, len(cloud.invoked)) == (0, 3)


def test_a_label_means_nothing(desk: Any, cloud: Any) -> None:
    """I6: a profile called dev is held to its account, whether its short names or its keys lead elsewhere."""
    elsewhere = f"arn:aws:lambda:eu-west-1:{PRODUCTION}:function:orders-api"
    desk.profile("dev", account=STAGING)
    with pytest.raises(GuardError, match=f"account {PRODUCTION}, and profile dev is for {STAGING}"):
        desk(f"invoke_lm {elsewhere} -ProfileName dev", STAGING)
    with pytest.raises(GuardError, match=f"belong to {PRODUCTION}"):
        desk("invoke_lm orders-api -ProfileName dev", PRODUCTION)
    desk.profile("dev", guard={"deny": [f"arn:aws:lambda:*:{PRODUCTION}:function:*"]})
    with pytest.raises(GuardError, match=r"guard\.deny"):
        desk("invoke_lm orders-api -ProfileName dev", PRODUCTION)
    assert cloud.invoked == []
    assert desk("invoke_lm orders-api -ProfileName dev", STAGING).ok


def test_one_function_many_names(case: dict[str, Any], desk: Any, cloud: Any) -> None:
    """However a function is spelled, the rules mean the function that would run."""
    guard = {name: case[name] for name in ("allow", "deny") if name in case}
    keys: dict[str, Any] = {"functions": {"harmless": "orders-delete"}}
    keys |= ({"guard": guard} if guard else {}) | ({"account": case["account"]} if "account" in case else {})
    desk.profile(**keys)
    line = f"invoke_lm '{case['name']}' {case.get('options', '')}"
    if case["sent"]:
        assert desk(line).status_code == 200
        return
    with pytest.raises((GuardError, lm.ParameterError), match=case["says"]):
        desk(line)
    assert cloud.sent == []


def test_who_is_asked(
    case: dict[str, Any], desk: Any, cloud: Any, nothing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What asks, what may answer, and what cannot."""
    for name, value in case.get("environ", {}).items():
        monkeypatch.setenv(name, value)
    desk.engine.defaults.update(case.get("preferences", {}))
    keys = {name: case[name] for name in ("guard", "defaults") if name in case}
    desk.profile(**keys)
    desk.person.answers = [case.get("answer")]
    line = f"{case.get('cmdlet', 'invoke_lm')} orders-api {case.get('line', '')}"
    if case["outcome"] == "refused":
        with pytest.raises(GuardError, match=case.get("says", "[Nn]othing was sent")) as caught:
            desk(line)
        assert "othing was sent" in str(caught.value)
    else:
        assert (desk(line) is nothing and bool(desk.shown)) == (case["outcome"] == "shown")
    assert len(desk.person.questions) == case["asked"]
    assert len(cloud.sent) == (case["outcome"] == "sent")


def test_no_consent(case: dict[str, Any], desk: Any, cloud: Any) -> None:
    """Only the exact name lets the call go."""
    desk.profile(guard={"confirm": "always"})
    desk.person.answers = [case["answer"]]
    with pytest.raises(GuardError, match="not confirmed, so nothing was sent"):
        desk("invoke_lm orders-api -Qualifier live")
    assert cloud.sent == []


def test_cmdlets_and_deny(case: dict[str, Any], desk: Any, cloud: Any) -> None:
    """Whatever runs or changes a function is refused; reading is not."""
    desk.profile(account=PRODUCTION, guard={"deny": ["*-delete"]})
    if case["sent"]:
        desk(case["line"])
        assert len(cloud.sent) >= 1
        return
    with pytest.raises(GuardError, match=case.get("says", r"guard\.deny")):
        desk(case["line"])
    assert cloud.requests == []


@pytest.mark.parametrize("answer", [KeyboardInterrupt(), OSError("the terminal is gone")])
def test_a_question_that_breaks_sends_nothing(answer: BaseException, desk: Any, cloud: Any) -> None:
    """I3, I11: Ctrl-C at the question says that nothing was sent; any failure of asking is a refusal."""
    desk.profile(guard={"confirm": "always"})
    desk.person.answers = [answer]
    expected = lm.InvocationInterrupted if isinstance(answer, KeyboardInterrupt) else GuardError
    with pytest.raises(expected, match=r"[Nn]othing was sent"):
        desk("invoke_lm orders-api")
    assert cloud.sent == []


def test_a_guard_that_fails_refuses(desk: Any, cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """I11: whatever goes wrong while a guard decides, before the question or before the sending, nothing is sent."""
    desk.profile(account=PRODUCTION, guard={"allow": ["orders-*"]})

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr("lmfunction._profile_values.GuardRules.refusal", broken)
        with pytest.raises(GuardError, match="a guard failed, so nothing was sent: ZeroDivisionError: a bug"):
            desk("invoke_lm orders-api")
    with monkeypatch.context() as patched:
        patched.setattr(Clearance, "_check_identity", broken)
        with pytest.raises(GuardError, match="a guard failed, so nothing was sent"):
            desk("invoke_lm orders-api")
    assert cloud.sent == []


def test_sts_that_fails_refuses(desk: Any, cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody tells whose the keys are: a way out is told, nothing sent. No keys at all are a profile's error."""
    desk.profile(account=PRODUCTION)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    with pytest.raises(GuardError, match=r"STS could not be asked.*AWS_ENDPOINT_URL_STS"):
        desk("invoke_lm orders-api")
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    assert cloud.sent == []
    with lm.Session(profile_name="guarded", profile_location=str(desk.folder)) as session, pytest.raises(ProfileError):
        session.invoke_lm("orders-api")
    assert cloud.sent == []


def test_an_endpoint_without_sts_refuses(desk: Any) -> None:
    """A server that knows no STS, such as SAM's, or the embedded Lambda started for other tools."""
    with start_embedded() as server:
        desk.profile(account=PRODUCTION, endpoint=server.url)
        with pytest.raises(GuardError, match=r"STS could not be asked.*AWS_ENDPOINT_URL_STS"):
            desk("invoke_lm hello")


def test_the_embedded_lambda_is_an_account_of_its_own(desk: Any) -> None:
    """It is 000000000000, without asking anybody; a profile for another account does not run there."""
    desk.engine.identities._ask = lambda *_: pytest.fail("STS was asked")
    desk.profile(account=PRODUCTION)
    with pytest.raises(GuardError, match="embedded Lambda is account 000000000000"):
        lm.invoke_lm("hello", profile_name="guarded", profile_location=str(desk.folder), endpoint_url="embedded")
    path = Path(desk.folder) / "own.yaml"
    path.write_text(
        'endpoint: embedded\naccount: "000000000000"\n'
        'guard: {allow: ["arn:aws:lambda:*:000000000000:function:hello"]}\n'
    )
    assert lm.invoke_lm("hello", profile_name="own", profile_location=str(desk.folder)).ok
    with pytest.raises(GuardError, match=r"guard\.allow"):
        lm.invoke_lm("echo", profile_name="own", profile_location=str(desk.folder))


def test_an_unsigned_request_has_no_identity(desk: Any, cloud: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`aws lambda invoke --no-sign-request` cannot pass for somebody."""
    from lmfunction._awscli import Screen, run_aws

    desk.profile(account=PRODUCTION)
    words = ["lambda", "invoke", "--function-name", "orders-api", "--profile", "guarded", "--no-sign-request", "-"]
    with pytest.raises(GuardError, match="not signed"):
        run_aws(words, desk.engine, desk.door(), Screen(print), {"ProfileLocation": str(desk.folder)})
    assert cloud.sent == []


def test_the_service_s_own_refusal_stays_one(desk: Any) -> None:
    """Past the guards an error of AWS is AWS's."""
    desk.profile(account=PRODUCTION)
    with pytest.raises(ServiceError):
        desk("Get-LMFunction not-there")
    assert issubclass(GuardError, LMError)
