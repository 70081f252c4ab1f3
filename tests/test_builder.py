"""`lm.Invoke`: setters, sending, pipes, hooks and overrides; and the kinds of errors that Rust's SDK tells apart."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._builder import CustomizableInvoke, Invoke
from lmfunction._client import Plan
from lmfunction._hooks import HttpRequest
from lmfunction._params import Kind
from lmfunction._pipeline import Pipe, Stage
from lmfunction._request import Target
from lmfunction._table import INVOKE

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")
THROTTLED = {"status": 429, "type": "TooManyRequestsException", "body": "{}"}
OPEN = [p for p in INVOKE.parameters if not p.refused]
# A value that the parameter's kind takes.
SAMPLES: dict[Kind, Any] = {
    Kind.TEXT: "text",
    Kind.JSON: {"id": 1},
    Kind.STREAM: b"{}",
    Kind.BASE64: "e30=",
    Kind.SWITCH: True,
    Kind.SECONDS: 5,
    Kind.WHOLE: 3,
    Kind.MAP: {"user_agent_extra": "x"},
    Kind.SECRET: "hidden-value",
    Kind.OBJECT: [1],
    Kind.ITEMS: [1],
    Kind.VARIABLE: "name",
    Kind.NUMBER: 1.5,
    Kind.FILE: "file.json",
    Kind.EXPRESSION: "a.b",
    Kind.LITERAL: "local",
}


def sample(parameter: Any) -> Any:
    return parameter.choices[0] if parameter.choices else SAMPLES[parameter.kind]


@pytest.fixture
def session() -> Iterator[lm.Session]:
    with lm.Session(profile_name="local") as session:
        yield session


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.fixture
def call(server: Any) -> lm.Invoke:
    """A call to a server that counts, with no pauses between attempts."""
    policy = lm.RetryPolicy(max_attempts=3, sleep=lambda _: None)
    session = lm.Session(endpoint_url=server.url, region="eu-west-1", credential=KEYS, retry_policy=policy)
    return lm.Invoke("f").session(session)


@pytest.mark.parametrize("parameter", OPEN, ids=lambda p: p.name)
def test_every_parameter_of_the_table_has_its_setters(parameter: Any) -> None:
    """x(value), set_x(value), set_x(None), get_x(); each step is a new builder, and completion knows them."""
    value, target = sample(parameter), parameter.target
    empty = lm.Invoke()
    built = getattr(empty, target)(value)
    assert getattr(built, f"get_{target}")() == value
    assert dict(built.as_input()) == {target: value}
    assert dict(getattr(empty, f"set_{target}")(value).as_input()) == {target: value}
    unset = getattr(built, f"set_{target}")(None)
    assert (getattr(unset, f"get_{target}")(), dict(unset.as_input())) == (None, {})
    assert dict(empty.as_input()) == {}
    assert dict(built.as_input()) == {target: value}
    assert {target, f"set_{target}", f"get_{target}"} <= set(dir(empty))
    assert getattr(empty, target).__doc__ == parameter.help


def test_no_parameter_is_hidden_by_a_method() -> None:
    """A row whose name is a method's would have no setter."""
    methods = {name for cls in (Invoke, Stage) for name in vars(cls)}
    assert methods.isdisjoint(INVOKE.by_target)


@pytest.mark.parametrize("parameter", [p for p in INVOKE.parameters if p.refused], ids=lambda p: p.name)
def test_what_powershell_has_and_we_refuse_says_why(parameter: Any) -> None:
    """At the setter, not at send."""
    with pytest.raises(lm.ParameterError) as caught:
        getattr(lm.Invoke(), parameter.target)("x")
    assert parameter.refused in str(caught.value)
    assert parameter.target not in dir(lm.Invoke())


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (lambda: lm.Invoke().qualifer("live"), AttributeError, "no parameter 'qualifer'. Did you mean qualifier?"),
        (lambda: lm.Invoke().set_paylod(1), AttributeError, "Did you mean set_payload?"),
        (lambda: lm.Invoke().get_regio(), AttributeError, "Did you mean get_region?"),
        (lambda: lm.Invoke().snd(), AttributeError, "Did you mean send?"),
        (lambda: lm.Invoke(paylod=1), TypeError, "unexpected keyword argument 'paylod'. Did you mean payload?"),
        (lambda: lm.Invoke().qualifier(), TypeError, "qualifier() needs a value"),
        (lambda: lm.Invoke().log_type("Tial"), lm.ParameterError, "Did you mean Tail?"),
        (lambda: lm.Invoke().timeout_sec("soon"), lm.ParameterError, "TimeoutSec is 'soon'"),
        (lambda: lm.Invoke("f", 1, region="eu-west-1").payload_stream(b"1").send(), lm.ParameterError, "exclude"),
        (lambda: lm.Invoke().profile_name("local").send(), lm.ParameterError, "FunctionName"),
    ],
)  # fmt: skip
def test_a_slip_is_told_with_the_nearest_name(build: Any, error: type[Exception], says: str) -> None:
    """Unknown names are AttributeErrors; values of the wrong kind are refused where they are set."""
    with pytest.raises(error) as caught:
        build()
    assert says in str(caught.value)


def test_it_sends_what_it_was_given(session: lm.Session) -> None:
    """Rust's way to write it, keywords, and the input handed to invoke_lm are the same call."""
    built = lm.Invoke().function_name("echo").payload({"id": 1}).log_type("tail").profile_name("local")
    result = built.send()
    assert (result.payload, bool(result.log)) == ({"id": 1}, True)
    assert lm.Invoke("echo", {"id": 1}, log_type="Tail").send_with(session).log
    assert lm.invoke_lm(**built.as_input()).payload == {"id": 1}
    assert built.select("Payload.id").send() == 1
    assert built.payload(None).send().raw_payload == b"null"
    assert built.set_payload(None).send().payload == {}
    assert isinstance(built.what_if().send(), Plan)
    failed = built.function_name("fail").send()
    assert (failed.ok, failed.error.type) == (False, "OrderNotFoundError")
    with pytest.raises(lm.FunctionError):
        built.function_name("fail").error_action("Stop").send()


def test_its_repr_shows_no_payload_and_no_secret() -> None:
    """Nor does its input's; the values themselves are there for who asks."""
    built = lm.Invoke("f", {"card": "4111"}, secret_key="s3cr3t", access_key="AKIDEXAMPLE", credential=KEYS)
    for text in (repr(built), repr(built.as_input()), repr(built | lm.first()), repr(built.customize())):
        assert "f" in text
        assert not any(hidden in text for hidden in ("4111", "s3cr3t", "AKIDEXAMPLE", "not-a-secret"))
    assert built.get_secret_key() == "s3cr3t"
    assert built.as_input()["payload"] == {"card": "4111"}


def test_it_can_be_copied_and_pickled() -> None:
    """A builder is a value."""
    built = lm.Invoke("f").payload({"a": [1]})
    for again in (copy.copy(built), copy.deepcopy(built), pickle.loads(pickle.dumps(built))):
        assert dict(again.as_input()) == dict(built.as_input())


def test_in_a_pipe_it_is_called_once_for_each_object(session: lm.Session) -> None:
    """One object gives a result, several a BulkResult; text is the function's name while that is free."""
    echo = lm.Invoke("echo").session(session)
    assert ({"n": 1} | echo).payload == {"n": 1}
    run = [{"n": 1}, {"n": 2}] | echo.throttle_limit(2)
    assert isinstance(run, lm.BulkResult)
    assert run.payloads == [{"n": 1}, {"n": 2}]
    assert ("echo" | lm.Invoke().session(session)).payload == {}
    assert [1, 2] | echo.select("Payload") == [1, 2]
    assert (lm.Invoke("echo").session(session).input_object([1, 2]).send()).payloads == [1, 2]
    with pytest.raises(lm.ParameterError, match="InputObject is set"):
        [1] | echo.input_object([2])
    with pytest.raises(lm.ParameterError, match="no place"):
        1 | echo.payload({})


def test_it_begins_a_pipe(session: lm.Session) -> None:
    """`Invoke | stage` is a pipe that its own send() runs; a failed function raises in the middle of one."""
    echo, fail = (lm.Invoke(name).session(session) for name in ("echo", "fail"))
    pipe = echo.payload({"items": [1, 2, 3]}) | lm.select("Payload.items[]") | lm.where(lambda n: n > 1)
    assert isinstance(pipe, Pipe)
    assert pipe.send() == [2, 3]
    assert (pipe | echo).send().payloads == [2, 3]
    assert (echo.payload(1) | echo).send().payload == 1
    with pytest.raises(lm.FunctionError, match="no order"):
        (fail | lm.select("Payload")).send()
    with pytest.raises(lm.FunctionError, match="no order"):
        {"order": 1} | (fail | lm.select("Payload"))
    with pytest.raises(lm.BulkError, match="no order"):
        [{"order": 1}] | (fail | lm.select("Payload"))
    with pytest.warns(lm.LMWarning, match="fail failed and is not passed on"):
        assert (fail.error_action("Continue") | lm.select("Payload")).send() is None
    with pytest.warns(lm.LMWarning, match="2 of 2 invocations did not succeed"):
        assert [1, 2] | (fail.error_action("Continue") | lm.select("Payload")) == []
    assert not ({"order": 1} | fail).ok


def test_what_if_in_a_pipe_gives_the_plans(session: lm.Session, capsys: pytest.CaptureFixture[str]) -> None:
    """At the end the plan is the value, one for several objects; in the middle it is told, and nothing flows on."""
    echo = lm.Invoke("echo").session(session)
    assert isinstance(1 | echo.what_if(), Plan)
    plan = [1, 2] | echo.what_if()
    assert (plan.count, [type(each) for each in plan]) == (2, [Plan, Plan])
    assert not [1, 2] | (echo.what_if() | lm.select("Payload"))
    assert not (echo.what_if() | lm.expect("Payload", eq=1)).send()
    assert capsys.readouterr().err.count("What if: Performing the operation") == 2


def test_mutate_request_changes_what_is_signed(call: lm.Invoke, server: Any) -> None:
    """Headers, body and query arrive; the content length is the new body's."""

    def change(http: HttpRequest) -> None:
        assert (http.method, http.body) == ("POST", b'{"a":1}')
        http.headers["x-team"] = "one"
        http.headers["X-Team"] = "two"
        http.body = b'{"a": [1, 2]}'
        http.url += "?Qualifier=live"

    call.payload(b'{"a":1}').customize().mutate_request(change).send()
    request = server.requests[0]
    assert request.body == b'{"a": [1, 2]}'
    assert request.headers["x-team"] == "two"
    assert "x-team" in request.headers["authorization"]
    assert request.headers["content-length"] == "13"
    assert request.line == "POST /2015-03-31/functions/f/invocations?Qualifier=live HTTP/1.1"


def test_a_mutated_request_is_signed_as_lambda_wants(session: lm.Session) -> None:
    """The embedded Lambda verifies the signature over the changed bytes and query."""

    def change(http: HttpRequest) -> None:
        http.body = b'{"name": "a hook"}'
        http.url += "?Qualifier=%24LATEST"
        del http.headers["User-Agent"]

    result = lm.Invoke("hello").customize().mutate_request(change).send_with(session)
    assert result.payload == {"message": "Hello, a hook!"}


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        (lambda http: 1 / 0, "ZeroDivisionError"),
        (lambda http: http.headers.update({"a": "b\r\nc: d"}), "printable ASCII"),
        (lambda http: setattr(http, "body", "text"), "body must be bytes, not str"),
        (lambda http: setattr(http, "url", "http://127.0.0.1:1/2015-03-31/functions/f/invocations"), "only the query"),
        (lambda http: setattr(http, "url", http.url.replace("/f/", "/g/")), "only the query"),
        (lambda http: setattr(http, "method", "GET"), "AttributeError"),
        (lambda http: http.headers.pop("no-such-header"), "KeyError"),
    ],
)
def test_a_hook_that_fails_stops_the_call(call: lm.Invoke, server: Any, hook: Any, says: str) -> None:
    """The error names the hook and says that nothing was sent; it is not tried again."""
    with pytest.raises(lm.TransportError) as caught:
        call.customize().mutate_request(hook).send()
    error = caught.value
    assert (error.sent, error.outcome, error.attempts, error.kind) == (False, "NOT_SENT", 1, "DispatchFailure")
    assert str(error).startswith("Nothing was sent: the hook mutate_request(<lambda>) failed: ")
    assert says in str(error)
    assert server.requests == []


def test_hooks_do_not_change_what_is_sent_again(call: lm.Invoke, server: Any) -> None:
    """Every send of a throttled call has the hook once; an unknown outcome is sent once, hook or not."""
    seen: list[str] = []
    hooked = call.customize().mutate_request(lambda http: seen.append(http.method))
    server.play([THROTTLED, THROTTLED, {"status": 200, "body": "1"}])
    assert hooked.send().attempts == 3
    assert len(seen) == len(server.requests) == 3
    server.play([{"status": 500, "type": "ServiceException", "body": "{}"}])
    with pytest.raises(lm.ServiceError, match="it was not sent again"):
        hooked.send()
    assert len(server.requests) == 1


def test_a_hook_that_invokes_makes_a_call_of_its_own(call: lm.Invoke, server: Any) -> None:
    """The hooks of the outer call do not reach the inner one, nor another thread's, nor the next call."""
    seen: list[bytes] = []

    def nested(http: HttpRequest) -> None:
        seen.append(http.body)
        call.payload('"inner"').send()
        thread = threading.Thread(target=lambda: call.payload('"thread"').send())
        thread.start()
        thread.join()

    call.payload('"outer"').customize().mutate_request(nested).send()
    call.payload('"next"').send()
    assert seen == [b'"outer"']
    assert [r.body for r in server.requests] == [b'"inner"', b'"thread"', b'"outer"', b'"next"']


def test_map_request_changes_the_request_itself(call: lm.Invoke, server: Any) -> None:
    """What it gives is checked, planned and sent; several come in order."""

    def qualified(request: lm.InvokeRequest) -> lm.InvokeRequest:
        return dataclasses.replace(request, qualifier="live")

    hooked = (
        call.customize()
        .map_request(qualified)
        .map_request(lambda r: dataclasses.replace(r, payload=f'"{r.qualifier}"'.encode()))
    )
    result = hooked.send()
    assert (result.request.qualifier, result.request.payload) == ("live", b'"live"')
    assert (server.requests[0].body, "Qualifier=live" in server.requests[0].line) == (b'"live"', True)
    plan = call.what_if().customize().map_request(qualified).send()
    assert plan.request.qualifier == "live"


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda r: dataclasses.replace(r, payload=b"{"), lm.ParameterError, "gave what cannot be sent: Payload"),
        (lambda r: dataclasses.replace(r, qualifier="a b"), lm.ParameterError, "gave what cannot be sent: Qualifier"),
        (lambda r: dataclasses.replace(r, invocation_type="Evnt"), lm.ParameterError, "Did you mean Event"),
        (lambda r: dataclasses.replace(r, target=Target("eu-west-2")), lm.ParameterError, "changed the target"),
        (lambda r: None, lm.ParameterError, "gave NoneType; it must give an InvokeRequest"),
        (lambda r: r.nothing, lm.TransportError, "the hook map_request(<lambda>) failed: AttributeError"),
    ],
)  # fmt: skip
def test_map_request_cannot_make_what_cannot_be_sent(
    call: lm.Invoke, server: Any, change: Any, error: type[Exception], says: str
) -> None:
    """Every rule for requests holds for its request too."""
    with pytest.raises(error) as caught:
        call.customize().map_request(change).send()
    assert says in str(caught.value)
    assert "map_request(<lambda>)" in str(caught.value)
    assert server.requests == []


class Recorder:
    """An interceptor with every method."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def read_before_execution(self, request: lm.InvokeRequest) -> None:
        self.seen.append(("before", request.function_name))

    def modify_before_signing(self, http: HttpRequest) -> None:
        self.seen.append(("signing", http.body))
        http.headers["X-Recorder"] = "1"

    def read_after_execution(self, request: lm.InvokeRequest, found: Any) -> None:
        self.seen.append(("after", type(found).__name__))


def test_an_interceptor_sees_the_whole_call(call: lm.Invoke, server: Any) -> None:
    """Before it, at every send, and after it with the result or the error."""
    recorder = Recorder()
    hooked = call.customize().interceptor(recorder)
    server.play([THROTTLED, {"status": 200, "body": "{}"}])
    hooked.send()
    assert recorder.seen == [("before", "f"), ("signing", b"{}"), ("signing", b"{}"), ("after", "InvokeResult")]
    assert server.requests[0].headers["x-recorder"] == "1"
    recorder.seen.clear()
    server.play([{"status": 404, "type": "ResourceNotFoundException", "body": "{}"}])
    with pytest.raises(lm.ServiceError):
        hooked.send()
    assert recorder.seen[-1] == ("after", "ServiceError")


def test_a_failing_interceptor_stops_the_call_but_never_loses_an_answer(call: lm.Invoke, server: Any) -> None:
    """Before the answer its failure is an error with nothing sent, afterwards a warning; a GuardError is its own."""

    class Bad:
        def read_before_execution(self, request: lm.InvokeRequest) -> None:
            raise RuntimeError("not today")

    class Late:
        def read_after_execution(self, request: lm.InvokeRequest, found: Any) -> None:
            raise RuntimeError("disk full")

    class Guard:
        def modify_before_signing(self, http: HttpRequest) -> None:
            raise lm.GuardError("No calls on a Friday.")

    recorder = Recorder()
    with pytest.raises(lm.TransportError, match=r"the hook Bad.read_before_execution failed: RuntimeError: not today"):
        call.customize().interceptor(recorder).interceptor(Bad()).send()
    assert recorder.seen == [("before", "f"), ("after", "TransportError")]
    with pytest.raises(lm.GuardError, match="No calls on a Friday"):
        call.customize().interceptor(Guard()).send()
    assert server.requests == []
    with pytest.warns(lm.LMWarning, match=r"the hook Late.read_after_execution failed: RuntimeError: disk full"):
        assert call.customize().interceptor(Late()).send().ok
    with pytest.raises(TypeError, match="object is no interceptor"):
        call.customize().interceptor(object())


def test_config_override_overrides_or_inherits(session: lm.Session, call: lm.Invoke, server: Any) -> None:
    """A value replaces the builder's and the session's, None leaves it; other names are refused."""
    there = call.region("eu-west-1").customize().config_override(region=None, timeout_sec=3)
    assert there.send().request.target.region == "eu-west-1"
    other = call.customize().config_override(region="us-west-2", endpoint_url=server.url)
    assert other.send().request.target.region == "us-west-2"
    assert call.send().request.target.region == "eu-west-1"
    server.play([THROTTLED])
    with pytest.raises(lm.ServiceError):
        call.customize().config_override(retry_policy=lm.RetryPolicy(max_attempts=1)).send()
    assert len(server.requests) == 1
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'regoin'\. Did you mean region"):
        call.customize().config_override(regoin="x")
    with pytest.raises(TypeError, match="'payload'"):
        call.customize().config_override(payload="x")


def test_a_customized_call_is_immutable_and_a_stage(session: lm.Session) -> None:
    """Each step gives a new one; in a pipe the hooks come with every call, also from several threads."""
    plain = lm.Invoke("echo").session(session).customize()
    recorder = Recorder()
    hooked = plain.interceptor(recorder)
    assert isinstance(hooked, CustomizableInvoke)
    plain.send()
    assert recorder.seen == []
    run = [1, 2, 3] | hooked
    assert run.payloads == [1, 2, 3]
    assert sorted(body for what, body in recorder.seen if what == "signing") == [b"1", b"2", b"3"]
    assert (5 | hooked).payload == 5
    assert (hooked | lm.select("Payload")).send() == {}


@pytest.mark.parametrize(
    ("error", "kind", "outcome"),
    [
        (lm.ParameterError("x"), "ConstructionFailure", "NOT_SENT"),
        (lm.ProfileError("x"), "ConstructionFailure", "NOT_SENT"),
        (lm.GuardError("x"), "ConstructionFailure", "NOT_SENT"),
        (lm.JournalError("x"), "ConstructionFailure", "NOT_SENT"),
        (lm.TransportError("x", sent=False, outcome="NOT_SENT"), "DispatchFailure", "NOT_SENT"),
        (lm.TransportError("x", sent=None), "DispatchFailure", "UNKNOWN"),
        (lm.TransportError("x", sent=None, phase="wait"), "TimeoutError", "UNKNOWN"),
        (lm.TransportError("x", sent=None, phase="response"), "ResponseError", "UNKNOWN"),
        (lm.TransportError("x", sent=True, outcome="RESULT_LOST"), "ResponseError", "RESULT_LOST"),
        (lm.FunctionError("x"), "FunctionError", "FUNCTION_ERROR"),
        (lm.BulkError("x"), None, "UNKNOWN"),
        (lm.ExpectationError("x"), None, "UNKNOWN"),
        (lm.LMError("x"), None, "UNKNOWN"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_kind_of_an_error_is_rusts(error: lm.LMError, kind: str | None, outcome: str) -> None:
    """By class and by what was seen; as a service error they are Unhandled, and keep what is known."""
    assert error.kind == kind
    assert error.as_service_error() is None
    service = error.into_service_error()
    assert (service.code, service.outcome, service.__cause__, str(service)) == ("Unhandled", outcome, error, "x")


def test_a_service_error_is_one_already() -> None:
    """as_ and into_ give itself."""
    error = lm.ServiceError("x", code="ResourceNotFoundException", status=404, outcome="REJECTED")
    assert (error.kind, error.as_service_error(), error.into_service_error()) == ("ServiceError", error, error)


@pytest.mark.parametrize(
    ("script", "kind", "sent"),
    [
        ({"status": 200, "body": "{}", "then": "stall", "length": 90}, "ResponseError", True),
        ({"raw": b"", "then": "stall"}, "TimeoutError", None),
        ({"raw": b"", "then": "fin"}, "DispatchFailure", None),
        ({"status": 200, "body": "{}", "bare": True}, "ResponseError", None),
    ],
    ids=["cut answer", "no answer in time", "connection broke", "not Lambda's answer"],
)
def test_the_kinds_of_real_failures(call: lm.Invoke, server: Any, script: Any, kind: str, sent: Any) -> None:
    """What the transport saw decides, on a real connection."""
    server.play([script])
    with pytest.raises(lm.TransportError) as caught:
        call.timeout_sec(0.5).send()
    assert (caught.value.kind, caught.value.sent) == (kind, sent)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.kind == kind


def test_nothing_listening_is_a_dispatch_failure(server: Any, call: lm.Invoke) -> None:
    """And provably not sent."""
    server.close()
    with pytest.raises(lm.TransportError) as caught:
        call.send()
    assert (caught.value.kind, caught.value.sent) == ("DispatchFailure", False)
