"""JMESPath over results: root names in any case, and a name that is no member refused before anything is sent."""

from __future__ import annotations

import jmespath
import pytest

from lmfunction._model import RESULT_MEMBERS
from lmfunction._select import compile_expression
from lmfunction.errors import LMError, ParameterError

RESULT = {
    "StatusCode": 200,
    "ExecutedVersion": "7",
    "Payload": {
        "orders": [
            {"id": 1, "state": "ok", "price": 5, "lines": [1, 2], "statuscode": "inner"},
            {"id": 2, "state": "late", "price": 50, "lines": [3]},
        ],
        "names": {"a": {"id": 1}, "b": {"id": 2}},
        "text": "Hello",
    },
}


# Written as a user may; the second is what plain JMESPath needs.
@pytest.mark.parametrize(
    ("written", "exact"),
    [
        ("Payload", "Payload"),
        ("payload", "Payload"),
        ("PAYLOAD.text", "Payload.text"),
        ("statuscode", "StatusCode"),
        ('"StatusCode"', "StatusCode"),
        ('"statuscode"', "StatusCode"),
        ("payload.orders[0].id", "Payload.orders[0].id"),
        ("payload.orders[-1]", "Payload.orders[-1]"),
        ("payload.orders[*].id", "Payload.orders[*].id"),
        ("payload.orders[].lines[]", "Payload.orders[].lines[]"),
        ("payload.orders[::-1]", "Payload.orders[::-1]"),
        ("payload.orders[?price > `10`].id", "Payload.orders[?price > `10`].id"),
        ("payload.orders[?state=='ok' && price < `10` || !id]", "Payload.orders[?state=='ok' && price < `10` || !id]"),
        ("payload.orders[].statuscode", "Payload.orders[].statuscode"),
        ("payload.names.*.id", "Payload.names.*.id"),
        ("{code: statuscode, ids: payload.orders[].id}", "{code: StatusCode, ids: Payload.orders[].id}"),
        ("[statuscode, executedversion]", "[StatusCode, ExecutedVersion]"),
        ("payload | orders[0] | id", "Payload | orders[0] | id"),
        ("payload.orders[].{id: id, code: statuscode}", "Payload.orders[].{id: id, code: statuscode}"),
        ("length(payload.orders)", "length(Payload.orders)"),
        ("sort_by(payload.orders, &price)[-1].id", "sort_by(Payload.orders, &price)[-1].id"),
        ("map(&id, payload.orders)", "map(&id, Payload.orders)"),
        ("not_null(functionerror, payload.text)", "not_null(FunctionError, Payload.text)"),
        ("statuscode == `200` && payload.text", "StatusCode == `200` && Payload.text"),
        ("functionerror || 'none'", "FunctionError || 'none'"),
        ("!functionerror", "!FunctionError"),
        ("contains(payload.text, 'ell')", "contains(Payload.text, 'ell')"),
        ("(payload).text", "(Payload).text"),
        ("@", "@"),
        ("@.StatusCode", "@.StatusCode"),
        ("keys(@)", "keys(@)"),
        ("*", "*"),
        ("`1`", "`1`"),
        ("'text'", "'text'"),
    ],
)
def test_root_names_match_in_any_case_and_nothing_else_changes(written, exact):
    """An expression finds what the same expression with exact root names finds; inner names keep their case."""
    assert compile_expression(written, RESULT_MEMBERS).search(RESULT) == jmespath.search(exact, RESULT)


def test_a_compiled_expression_does_not_change_jmespaths_own():
    """Respelling leaves jmespath's cached tree alone."""
    compile_expression("payload.text", RESULT_MEMBERS)
    assert jmespath.search("payload.text", {"payload": {"text": 1}}) == 1


@pytest.mark.parametrize(
    ("expression", "column", "hint"),
    [
        ("Paylod.x", 1, "Did you mean Payload?"),
        ("status", 1, "Members: StatusCode"),
        ("Orders[0].id", 1, "names no member"),
        ("[StatusCode, Lg]", 14, "Did you mean Log?"),
        ("{a: Payload, b: Repport}", 17, "Did you mean Report?"),
        ("length(items)", 8, "names no member"),
        ("map(&id, orders)", 10, "names no member"),
        ("StatusCode == nope", 15, "names no member"),
        ("!nope", 2, "names no member"),
        ("nope[?id]", 1, "names no member"),
        ("nope[*].id", 1, "names no member"),
        ("nope[]", 1, "names no member"),
        ("nope | id", 1, "names no member"),
        ("nope.*", 1, "names no member"),
    ],
)
def test_a_name_that_is_no_member_is_refused_at_its_place(expression, column, hint):
    """A root name that the result does not have is refused with its column and the nearest member."""
    with pytest.raises(ParameterError) as caught:
        compile_expression(expression, RESULT_MEMBERS)
    assert caught.value.column == column
    assert caught.value.parameter == "Select"
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("Payload.", 9),
        ("Payload[", 9),
        ("Payload..x", 9),
        ("Payload.orders[?id=='x]", 21),
        ("Payload.orders[0", 17),
        ("Payload x", 9),
        ("Payload.#", 9),
        ("", 1),
    ],
)
def test_what_is_no_jmespath_is_refused_at_its_place(expression, column):
    """Text that is no JMESPath is refused with the column of the fault."""
    with pytest.raises(ParameterError, match="is not a JMESPath expression") as caught:
        compile_expression(expression, RESULT_MEMBERS)
    if caught.value.column is not None:
        assert caught.value.column == column
        assert caught.value.source == expression
    else:
        assert expression == ""


@pytest.mark.parametrize(
    ("expression", "column", "why"),
    [
        ("nope(Payload)", 1, "has no function nope()"),
        ("lenght(Payload)", 1, "Did you mean length?"),
        ("Payload.orders[?nope(id)]", 17, "has no function nope()"),
        ("sort_by(Payload.orders, &nope(id))", 26, "has no function nope()"),
        ("length(Payload, StatusCode)", 1, "takes 1 argument, not 2"),
        ("length()", 1, "takes 1 argument, not 0"),
        ("[StatusCode, not_null()]", 14, "takes at least 1 argument, not 0"),
    ],
)
def test_a_wrong_function_is_refused_at_its_place(expression, column, why):
    """An unknown function, or one with the wrong number of arguments, is refused before anything is sent."""
    with pytest.raises(ParameterError) as caught:
        compile_expression(expression, RESULT_MEMBERS)
    assert caught.value.column == column
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("length(StatusCode)", "length() does not take number"),
        ("sum(Payload.orders[].state)", "sum() does not take str"),
        ("sort_by(Payload.orders, &lines)", "sort_by() does not take"),
    ],
)
def test_a_function_that_does_not_fit_the_answer_is_told_without_the_answer(expression, why):
    """A function that cannot take what the answer holds is an LMError with the request id, without the value."""
    selection = compile_expression(expression, RESULT_MEMBERS)
    with pytest.raises(LMError) as caught:
        selection.search({**RESULT, "RequestId": "r-1"})
    assert not isinstance(caught.value, ParameterError)  # something was sent
    assert caught.value.request_id == "r-1"
    assert why in str(caught.value)
    assert "ok" not in str(caught.value)
    assert "200" not in str(caught.value)
