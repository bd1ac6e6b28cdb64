"""The receivers of alarms in the configuration."""

from __future__ import annotations

import base64

import pytest

from tocsin.config.notify import signing_key


@pytest.mark.parametrize(
    ("secret", "text"),
    [("whsec_no base64", "is no Base64"), ("whsec_QUJD", "has 3 bytes"), (base64.b64encode(bytes(65)).decode(), "65")],
)
def test_a_secret_that_cannot_sign_is_refused_and_not_sent(secret, text):
    with pytest.raises(ValueError, match=text) as refused:
        signing_key(secret)
    assert secret.removeprefix("whsec_") not in str(refused.value)
