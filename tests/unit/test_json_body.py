"""JSON as strictly as money needs it: any bytes are an object or one InvalidJsonError."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.errors import InvalidJsonError, ValidationError
from paylink.http.json_body import canonical_hash, expect_nothing, parse_object

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=8)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"[1000]",
        b'"text"',
        b"1",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} {"b": 2}',
        b'{"amount": NaN}',
        b'{"amount": Infinity}',
        b'{"amount": -Infinity}',
        b'{"amount": 1, "amount": 2}',
        b'{"amount": 1, "amount": 1}',
        b'{"amount": 1, "\\u0061mount": 2}',
        b'{"metadata": {"k": "1", "k": "2"}}',
        b'{"amount": 0100}',
        b'{"amount": +1}',
        b'{"amount": 0x10}',
        b'{"amount": 1_000}',
        b'{"amount": 1.}',
        b'{"a": "\x01"}',
        b'\xef\xbb\xbf{"amount": 1}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"\xff\xfe{\x00}\x00",
        b'{"amount": ' + b"9" * 41 + b"}",
        b'{"amount": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
def test_what_is_not_one_plain_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJsonError) as refused:
        parse_object(body)
    assert (refused.value.code, refused.value.status) == ("invalid_json", 400)


@given(body=st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode()))
def test_no_bytes_lead_to_any_other_error(body: bytes) -> None:
    with suppress(InvalidJsonError):
        assert isinstance(parse_object(body), dict)


@given(body=st.text('{}[]",:0123456789eE+-.truefalsnN \\u', max_size=60))
def test_nothing_that_looks_like_json_does_either(body: str) -> None:
    with suppress(InvalidJsonError):
        parse_object(body.encode())


@pytest.mark.parametrize(
    ("text", "kind"),
    [("1000", int), ("1000.0", float), ("1e3", float), ("true", bool), ('"1000"', str)],
)
def test_a_number_stays_what_it_was_sent_as(text: str, kind: type) -> None:
    assert type(parse_object(f'{{"amount": {text}}}'.encode())["amount"]) is kind


def test_a_body_that_no_valid_request_needs_is_refused_unread() -> None:
    text = json.dumps({"description": "x" * 256 * 1024}).encode()
    with pytest.raises(InvalidJsonError, match="longer than 262144 bytes"):
        parse_object(text)
    assert parse_object(text.replace(b"x" * 1024, b""))


def test_large_integers_keep_every_digit() -> None:
    assert parse_object(b'{"amount": 9007199254740993}') == {"amount": 9_007_199_254_740_993}
    assert parse_object(b'{"n": -' + b"9" * 39 + b"}") == {"n": -int("9" * 39)}


@given(value=st.dictionaries(st.text(), VALUES, max_size=5))
def test_order_and_spacing_do_not_make_another_request(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    body = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    spaced = json.dumps(turned, indent=3).encode()
    try:
        parsed = parse_object(body)
    except InvalidJsonError:
        return  # a lone surrogate isn't UTF-8
    assert canonical_hash(parsed) == canonical_hash(parse_object(spaced))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"amount": 1}, {"amount": 2}),
        ({"amount": 1}, {"amount": 1.0}),
        ({"amount": 1}, {"amount": True}),
        ({"amount": 1}, {"amount": "1"}),
        ({"a": None}, {}),
        ({"a": ["b", "c"]}, {"a": ["c", "b"]}),
        ({"a": "é"}, {"a": "e\u0301"}),
    ],
)
def test_another_value_makes_another_request(one: dict[str, object], other: object) -> None:
    assert isinstance(other, dict)
    assert canonical_hash(one) != canonical_hash(other)


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"null", b"{}", b" { } "])
def test_nothing_is_what_says_nothing(body: bytes) -> None:
    expect_nothing(body)


@pytest.mark.parametrize("body", [b"[]", b"0", b'""', b"{", b"\xff", b"false", b"NaN"])
def test_what_is_no_object_is_not_nothing(body: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        expect_nothing(body)


def test_fields_where_none_are_expected_are_named() -> None:
    with pytest.raises(ValidationError) as caught:
        expect_nothing(b'{"reason": 1, "\\ud800": 2}')
    assert isinstance(caught.value.details, list)
    assert [problem["field"] for problem in caught.value.details] == ["reason", "?"]
