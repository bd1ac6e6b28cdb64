"""Authorization of requests that read and command, by their headers."""

from __future__ import annotations

import pytest

from tocsin.http.authorization import Authorizer

TOKEN = "0123456789abcdef"  # noqa: S105  (a test's)
HERE = {"host": "127.0.0.1:9464"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
@pytest.mark.parametrize("host_header", ["localhost:9464", "127.0.0.1", "[::1]:9464", "LOCALHOST:1"])
def test_this_machine_alone_needs_no_token(host, host_header):
    authorizer = Authorizer(host, None)
    assert authorizer.check_command({"host": host_header}) is None
    assert authorizer.check_read({"host": host_header}) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "daemon.example"])  # noqa: S104
def test_elsewhere_commands_need_a_token_and_reading_does_not(host):
    authorizer = Authorizer(host, None)
    refused = authorizer.check_command({"host": f"{host}:9464"})
    assert (refused.status, refused.code) == (403, "forbidden")
    assert refused.detail == (
        f"commands over HTTP need a token, as the daemon listens on {host}: set http.token_file "
        "(or http.host: 127.0.0.1)"
    )
    assert authorizer.check_read({"host": "ward-7.example"}) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_a_token_opens_and_nothing_else_does(host):
    authorizer = Authorizer(host, TOKEN)
    for given in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN} "):
        assert authorizer.check_command({**HERE, "authorization": given}) is None
        assert authorizer.check_read({"host": "anywhere.example", "authorization": given}) is None
    for given in ("", TOKEN, f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer pässword"):
        for refused in (
            authorizer.check_command({**HERE, "authorization": given}),
            authorizer.check_read({**HERE, "authorization": given}),
        ):
            assert (refused.status, refused.code) == (401, "unauthorized"), given
            assert TOKEN not in refused.detail


@pytest.mark.parametrize("host", ["evil.example:9464", "127.0.0.1.evil.example", "", "localhost.evil.example"])
def test_a_foreign_host_name_for_the_loopback_address_is_denied(host):
    """DNS rebinding: a page's own name is made to mean 127.0.0.1, so that the browser takes the daemon for its site."""
    authorizer = Authorizer("127.0.0.1", None)
    for refused in (authorizer.check_command({"host": host}), authorizer.check_read({"host": host})):
        assert refused.status == 403
        assert repr(host) in refused.detail


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_page_of_another_site_is_denied(token):
    headers = HERE if token is None else {**HERE, "authorization": f"Bearer {token}"}
    authorizer = Authorizer("127.0.0.1", token)
    for origin in ("https://evil.example", "http://127.0.0.1:8080", "null"):
        assert authorizer.check_command({**headers, "origin": origin}).status == 403
    assert authorizer.check_command({**headers, "origin": "http://127.0.0.1:9464"}) is None
