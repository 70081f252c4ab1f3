"""Names as Lambda spells them: what is taken apart, what is refused, and why."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmfunction import _names
from lmfunction._names import FunctionName
from lmfunction.errors import ParameterError

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f", FunctionName("f", "f")),
        ("my_Fn-2", FunctionName("my_Fn-2", "my_Fn-2")),
        ("f:live", FunctionName("f:live", "f", qualifier="live")),
        ("f:7", FunctionName("f:7", "f", qualifier="7")),
        ("f:$LATEST", FunctionName("f:$LATEST", "f", qualifier="$LATEST")),
        ("f:$LATEST.PUBLISHED", FunctionName("f:$LATEST.PUBLISHED", "f", qualifier="$LATEST.PUBLISHED")),
        ("123456789012:f", FunctionName("123456789012:f", "f", account="123456789012")),
        ("123456789012:function:f", FunctionName("123456789012:function:f", "f", account="123456789012")),
        ("123456789012:function:f:1", FunctionName("123456789012:function:f:1", "f", None, None, "123456789012", "1")),
        (ARN, FunctionName(ARN, "f", "aws", "eu-west-1", "123456789012")),
        (f"{ARN}:live", FunctionName(f"{ARN}:live", "f", "aws", "eu-west-1", "123456789012", "live")),
        (
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f",
            FunctionName(
                "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f",
                "f",
                "aws-us-gov",
                "us-gov-west-1",
                "123456789012",
            ),
        ),
        ("f" * 64, FunctionName("f" * 64, "f" * 64)),
    ],
)
def test_a_name_is_taken_apart(text, expected):
    """Each spelling that AWS takes is taken apart into name, partition, region, account and qualifier."""
    found = _names.parse_function_name(text)
    assert found == expected
    assert found.is_arn is text.startswith("arn:")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "missing"),
        (5, "must be text, not int"),
        (b"f", "must be text, not bytes"),
        ("", "empty"),
        (" ", "empty"),
        ("f" * 65, "65 characters long; a bare name has 64"),
        ("f" * 257, "257 characters long; AWS takes 256"),
        ("a b", "it holds ' '"),
        ("f\n", r"it holds '\x0a'"),
        ("é", r"it holds '\xe9'"),
        ("..", "dots alone"),
        ("...:1", "dots alone"),
        ("a/b", "it holds '/'"),
        ("$LATEST", "is a qualifier"),
        ("orders-$stage", "double quotes"),
        ("a:b:c", "NAME:ALIAS"),
        (":f", "NAME:ALIAS"),
        ("f:", "NAME:ALIAS"),
        ("12345678901:function:f:1:2", "NAME:ALIAS"),
        ("arn:aws:iam::123456789012:role/r", "ARN of something in 'iam'"),
        ("arn:aws:s3:::bucket", "ARN of something in 's3'"),
        ("arn:aws:lambda:eu-west-1:123456789012:layer:l:1", "ARN of a Lambda layer"),
        ("arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:x", "is not a function's ARN"),
        ("arn:aws:lambda:eu-west-1:12345:function:f", "arn:aws:lambda:REGION:ACCOUNT:function:NAME"),
        ("arn:aws:lambda:f", "arn:aws:lambda:REGION:ACCOUNT:function:NAME"),
        ("arn:aws:lambda:eu-west-1:123456789012:f", "arn:aws:lambda:REGION:ACCOUNT:function:NAME"),
        ("http://x", "is a URL"),
        ("https://abc.lambda-url.eu-west-1.on.aws/", "is a URL"),
    ],
)
def test_what_is_no_function_name_is_refused_with_a_reason(text, why):
    """What AWS would refuse by its spelling is refused with the reason a person needs."""
    with pytest.raises(ParameterError) as caught:
        _names.parse_function_name(text)
    assert why in str(caught.value)
    assert caught.value.parameter == "FunctionName"
    assert str(caught.value).isascii()


@given(text=st.text())
def test_any_text_is_a_safe_name_or_refused(text):
    """A text that passes as a name holds only letters, digits and - _ . : $, and no bare dots; no message is unsafe."""
    try:
        found = _names.parse_function_name(text)
    except ParameterError as error:
        assert str(error).isascii()
        return
    assert re.fullmatch(r"[A-Za-z0-9_.:$-]+", text)
    assert found.name.strip(".")


@pytest.mark.parametrize("text", ["1", "live", "$LATEST", "$LATEST.PUBLISHED", "a-b_c", "q" * 128])
def test_a_qualifier_passes(text):
    """Version numbers, aliases and $LATEST pass unchanged."""
    assert _names.check_qualifier(text) == text


@pytest.mark.parametrize("text", ["", " ", "a b", "1\n", "a.b", "q" * 129, 1, None, "é", "$LATEST.", "a:b"])
def test_another_qualifier_is_refused(text):
    """What is no qualifier is refused for the parameter Qualifier."""
    with pytest.raises(ParameterError) as caught:
        _names.check_qualifier(text)
    assert caught.value.parameter == "Qualifier"


def test_a_qualifier_must_agree_with_the_name():
    """A qualifier in the name and another one beside it are refused; the same one twice passes."""
    named = _names.parse_function_name("f:1")
    assert _names.check_qualifier("1", named) == "1"
    with pytest.raises(ParameterError, match="'2' does not match '1'"):
        _names.check_qualifier("2", named)


@pytest.mark.parametrize("text", ["t", "A b.c_d:e/f=g+h-i@j", "t" * 256])
def test_a_tenant_passes(text):
    """The characters that the API takes in a tenant id pass."""
    assert _names.check_tenant_id(text) == text


@pytest.mark.parametrize("text", ["", "t" * 257, "t\n", "t\r\nX: 1", "é", "a,b", 7])
def test_another_tenant_is_refused(text):
    """Everything else is refused for the parameter TenantId."""
    with pytest.raises(ParameterError) as caught:
        _names.check_tenant_id(text)
    assert caught.value.parameter == "TenantId"


@pytest.mark.parametrize("text", ["", "d" * 65, "a b", "a.b", "a\n", None])
def test_another_execution_name_is_refused(text):
    """A durable execution's name is 1 to 64 letters, digits, hyphens and underscores."""
    assert _names.check_execution_name("d" * 64) == "d" * 64
    with pytest.raises(ParameterError) as caught:
        _names.check_execution_name(text)
    assert caught.value.parameter == "DurableExecutionName"


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("ap-southeast-5", "aws"),
        ("me-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_a_region_belongs_to_a_partition(region, partition):
    """Each family of regions is accepted and belongs to its partition."""
    assert _names.check_region(region) == region
    assert _names.partition_of(region) == partition


@pytest.mark.parametrize(
    "text", ["", "xx", "us-east-1.evil.com/", "EU-WEST-1", "us-east-1\n", "eu_west_1", "eu-west-", 1]
)
def test_another_region_is_refused(text):
    """What is not spelled like a region is refused under the name of the field that held it."""
    with pytest.raises(ParameterError, match=r"^region ") as caught:
        _names.check_region(text, parameter="region")
    assert caught.value.parameter == "region"


def test_every_region_of_botocore_is_a_region_here():
    """Each region and partition that botocore ships for Lambda is spelled as we expect."""
    import boto3

    session = boto3.Session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("lambda", partition_name=partition):
            assert _names.check_region(region) == region
            assert _names.partition_of(region) == partition
