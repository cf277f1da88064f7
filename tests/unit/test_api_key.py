"""API keys: their form; only the very one is accepted, that guesses learn nothing."""

from __future__ import annotations

import hmac
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain import api_key
from paylink.domain.api_key import ApiKey, generate, hash_of, key_id_of
from paylink.domain.errors import UnauthorizedError
from paylink.domain.organization import MODES, Mode, ProviderCredentials
from paylink.http.auth import Authenticator, Caller
from tests.unit.fakes import START, FakeClock, Memory, MemoryApiKeys

FORM = r"ck_(live|sandbox)_[0-9A-Za-z]{50}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keys() -> MemoryApiKeys:
    return MemoryApiKeys(Memory())


@pytest.mark.parametrize("mode", MODES)
def test_a_new_key_tells_its_mode_and_is_found_by_its_own_id(mode: Mode) -> None:
    key, plain = generate("org_1", mode, "shop", START)
    assert re.fullmatch(FORM, plain)
    assert plain.startswith(f"ck_{mode}_")
    assert key_id_of(plain) == key.id
    assert key.accepts(plain, START)
    assert (key.organization_id, key.mode, key.name) == ("org_1", mode, "shop")


def test_no_part_of_a_key_that_opens_anything_is_kept() -> None:
    key, plain = generate("org_1", "live", "shop", START)
    secret = plain.removeprefix(f"ck_live_{key.id}")
    assert secret not in repr(key)
    assert secret[:8] not in key.prefix
    assert plain.startswith(key.prefix)
    assert key.secret_hash == hash_of(plain)


def test_a_sellers_secrets_are_never_printed() -> None:
    assert str(ProviderCredentials("sk_1", ("whsec_1",), "signing_1")) == "ProviderCredentials(…)"


def test_keys_never_come_twice() -> None:
    assert len({generate("org_1", "live", "n", START)[1] for _ in range(200)}) == 200


@given(
    position=st.integers(0, 60),
    other=st.characters(codec="ascii", categories=("L", "N", "P", "S")),
)
def test_one_wrong_character_is_noticed(position: int, other: str) -> None:
    key, plain = generate("org_1", "sandbox", "shop", START)
    position %= len(plain)
    wrong = plain[:position] + other + plain[position + 1 :]
    assert (wrong == plain) or not key.accepts(wrong, START)
    # The check part is a checksum of 32 bits and finds every change of one character.
    assert key_id_of(wrong) == (key.id if wrong == plain else None)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "ck_sandbox_",
        "ck_live_" + "0" * 50,
        "sk_live_" + "0" * 50,
        "x" * 10_240,
        "ck_sandbox_" + "é" * 50,
        "ck_sandbox_" + "١" * 50,
        "\x00",
        "\ud800",
    ],
)
def test_what_has_another_form_is_no_key(wrong: str, keys: MemoryApiKeys, clock: FakeClock) -> None:
    assert key_id_of(wrong) is None
    with pytest.raises(UnauthorizedError):
        Authenticator(keys, clock).caller_with(wrong)
    assert keys.reads == 0


@pytest.mark.parametrize("change", ["{} ", " {}", "{}\n", "{},{}", "{}x"])
def test_a_key_with_anything_beside_it_is_no_key(change: str) -> None:
    plain = generate("org_1", "live", "shop", START)[1]
    assert key_id_of(change.format(plain, plain)) is None


def test_every_refusal_is_the_same(keys: MemoryApiKeys, clock: FakeClock) -> None:
    key, plain = generate("org_1", "live", "shop", START)
    unknown = generate("org_1", "live", "never stored", START)[1]
    expired, old = generate("org_1", "live", "old", START, expires_at=START)
    keys.add(key)
    keys.add(expired)
    refusals = []
    for wrong in (None, "", "nonsense", plain[:-1], plain[: len("ck_live_") + 12], unknown, old):
        with pytest.raises(UnauthorizedError) as refused:
            Authenticator(keys, clock).caller_with(wrong)
        error = refused.value
        refusals.append((error.status, error.code, error.message, error.param, error.details))
    assert len(set(refusals)) == 1


def test_a_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []
    in_constant_time = hmac.compare_digest

    def compare(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return in_constant_time(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    key, plain = generate("org_1", "live", "shop", START)
    assert key.accepts(plain, START)
    assert not key.accepts(plain[:-1] + "!", START)
    assert compared == [
        (key.secret_hash, hash_of(plain)),
        (key.secret_hash, hash_of(plain[:-1] + "!")),
    ]


def test_a_key_works_until_it_expires() -> None:
    end = START + timedelta(days=1)
    key, plain = generate("org_1", "live", "shop", START, expires_at=end)
    assert key.accepts(plain, end - timedelta(microseconds=1))
    assert not key.accepts(plain, end)


def test_a_callers_organization_and_mode_are_the_keys(
    keys: MemoryApiKeys, clock: FakeClock
) -> None:
    key, plain = generate("org_2", "live", "shop", START)
    keys.add(key)
    assert Authenticator(keys, clock).caller_with(plain) == Caller("org_2", "live", key.id)


def test_a_good_key_is_looked_up_once_and_its_end_still_counts(
    keys: MemoryApiKeys, clock: FakeClock
) -> None:
    key, plain = generate("org_1", "live", "shop", START, expires_at=START + timedelta(seconds=30))
    keys.add(key)
    authenticator = Authenticator(keys, clock)
    for _ in range(5):
        authenticator.caller_with(plain)
    assert keys.reads == 1
    clock.advance(seconds=30)
    with pytest.raises(UnauthorizedError):
        authenticator.caller_with(plain)


def test_a_remembered_key_does_not_let_another_secret_in(
    keys: MemoryApiKeys, clock: FakeClock
) -> None:
    key, plain = generate("org_1", "live", "shop", START)
    keys.add(key)
    authenticator = Authenticator(keys, clock)
    authenticator.caller_with(plain)
    body = f"ck_live_{key.id}" + "0" * 32
    forged = body + api_key._check_part(body)
    assert key_id_of(forged) == key.id
    with pytest.raises(UnauthorizedError):
        authenticator.caller_with(forged)


@given(text=st.text(max_size=80))
def test_no_text_leads_to_any_other_error(text: str) -> None:
    with pytest.raises(UnauthorizedError):
        Authenticator(MemoryApiKeys(Memory()), FakeClock()).caller_with(text)


def test_a_keys_use_is_noted_once_a_minute_whichever_container_sees_it(
    keys: MemoryApiKeys, clock: FakeClock
) -> None:
    key, plain = generate("org_1", "live", "shop", START)
    keys.add(key)

    def noted() -> datetime | None:
        """After the first call of a new container."""
        Authenticator(keys, clock).caller_with(plain)
        found = keys.get(key.id)
        assert found is not None
        return found.last_used_at

    first = clock()
    assert noted() == first
    clock.advance(seconds=59)
    assert noted() == first
    clock.advance(seconds=1)
    assert noted() == clock()


class KeysThatNoteNothing(MemoryApiKeys):
    """The table reads, and does not write."""

    def note_use(self, key: ApiKey, now: datetime) -> None:
        raise OSError(f"{key.id} at {now}")


def test_a_key_whose_use_can_not_be_noted_lets_its_caller_in(clock: FakeClock) -> None:
    keys = KeysThatNoteNothing(Memory())
    key, plain = generate("org_1", "live", "shop", START)
    keys.add(key)
    assert Authenticator(keys, clock).caller_with(plain).key_id == key.id


def test_a_seed_makes_the_same_key_wherever_and_another_seed_another() -> None:
    seed, other = bytes(range(32)), bytes(range(1, 33))
    expires = START + timedelta(days=30)
    allowed = frozenset({"payment:read"})
    key, plain = generate("org_1", "live", "shop", START, expires, allowed, seed)
    assert plain == generate("org_2", "live", "till", START, None, allowed, seed)[1]
    assert plain[:8] == "rk_live_"
    assert len(plain) == 8 + 12 + 32 + 6
    assert key_id_of(plain) == key.id
    assert key == ApiKey(
        id=plain[8:20],
        organization_id="org_1",
        mode="live",
        name="shop",
        secret_hash=hash_of(plain),
        prefix=plain[:12],
        created_at=START,
        expires_at=expires,
        permissions=allowed,
    )
    different = generate("org_1", "live", "shop", START, expires, allowed, other)[1]
    assert different[8:20] != plain[8:20]
    assert different[20:36] != plain[20:36]
    assert different[36:52] != plain[36:52]
    assert plain[20:36] != plain[36:52]


def test_the_retry_of_a_request_is_told_the_same_key_after_a_deployment() -> None:
    _, plain = generate("org_1", "live", "shop", START, seed=bytes(range(32)))
    assert plain == "ck_live_I4vN5q1rFfJGnjlUz6GTCWs8iB9YzXofseqpfxdTOW9ilLRIU2"
