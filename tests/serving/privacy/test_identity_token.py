"""Tokens of the site's server: which are taken, and what each of the others lacks."""

import base64
import hashlib
import hmac
import importlib
import json

import pytest

from serving.privacy.identity_token import Identity, IdentitySecretError, IdentityTokenError, IdentityTokens
from tests.serving.identities import SECRET, sign

OTHER = "another secret of thirty-two bytes or more"


@pytest.fixture
def tokens():
    return IdentityTokens([SECRET, OTHER], 24)


def forge(header, claims, key=b""):
    """A token with any header, signed by hand."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.new(key, b".".join(parts), hashlib.sha256).digest() if key else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_a_token_names_the_user_and_the_device(tokens):
    assert tokens.verify(sign("ann", anonymous_id="a")) == Identity("ann", "a")
    assert tokens.verify(sign("ann")) == Identity("ann", None)


def test_each_secret_is_taken_while_one_is_replaced(tokens):
    assert tokens.verify(sign("ann", OTHER)).user_id == "ann"
    assert tokens.verify(sign("ann", SECRET)).user_id == "ann"


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"minutes": -1}, "has expired"),
        ({"minutes": None}, "lacks the claim exp"),
        ({"minutes": 25 * 60}, "expires more than 24 hours ahead"),
        ({"aud": None}, "lacks the claim aud"),
        ({"aud": "shop"}, "has another aud than 'tessera'"),
        ({"user_id": None}, "lacks the claim sub"),
        ({"user_id": ""}, "claim sub"),
        ({"user_id": "x" * 257}, "claim sub"),
        ({"anonymous_id": ""}, "claim anonymous_id"),
        ({"anonymous_id": 7}, "claim anonymous_id"),
        ({"secret": "a secret of thirty-two bytes that nobody shares"}, "a secret that the service does not have"),
    ],
)
def test_a_token_that_vouches_for_nobody_says_what_it_lacks(tokens, claims, message):
    with pytest.raises(IdentityTokenError, match=message):
        tokens.verify(sign(**claims))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS512", "RS256"])
def test_another_algorithm_is_no_signature(tokens, algorithm):
    claims = {"sub": "ann", "aud": "tessera", "exp": 4102444800}
    for key in (b"", SECRET.encode()):
        with pytest.raises(IdentityTokenError, match="is not signed with HS256"):
            tokens.verify(forge({"alg": algorithm, "typ": "JWT"}, claims, key))


def test_a_public_key_signs_nothing(tokens):
    """The confusion of RS256: a service that held a public key would take what is signed with its text."""
    rsa = importlib.import_module("cryptography.hazmat.primitives.asymmetric.rsa")
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(encoding, form)
    with pytest.raises(IdentitySecretError, match="is a key in PEM"):
        IdentityTokens([public.decode()], 24)
    claims = {"sub": "ann", "aud": "tessera", "exp": 4102444800}
    with pytest.raises(IdentityTokenError, match="a secret that the service does not have"):
        tokens.verify(forge({"alg": "HS256"}, claims, public))
    rs256 = importlib.import_module("jwt").encode(claims, key, algorithm="RS256")
    with pytest.raises(IdentityTokenError, match="is not signed with HS256"):
        tokens.verify(rs256)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ä.ö.ü", "." * 10, "x" * 5_000, "\ud800"])
def test_what_is_no_token_is_refused(tokens, token):
    with pytest.raises(IdentityTokenError):
        tokens.verify(token)


def test_a_changed_claim_breaks_the_signature(tokens):
    header, _, signature = sign("ann").split(".")
    claims = base64.urlsafe_b64encode(b'{"sub":"bob","aud":"tessera","exp":4102444800}').rstrip(b"=").decode()
    with pytest.raises(IdentityTokenError, match="a secret that the service does not have"):
        tokens.verify(f"{header}.{claims}.{signature}")


def test_a_short_secret_is_refused_at_the_start_and_not_shown():
    with pytest.raises(IdentitySecretError, match=r"secret 2 .* has 8 bytes; at least 32") as refused:
        IdentityTokens([SECRET, "sesame!!"], 24)
    assert "sesame" not in str(refused.value)


def test_without_secrets_no_token_is_taken():
    with pytest.raises(IdentityTokenError, match="the service has no TESSERA_IDENTITY_SECRETS"):
        IdentityTokens([], 24).verify(sign("ann"))


@pytest.mark.parametrize(
    "expires", [10**18, 10**400, 1e300, 253402300800], ids=["18 digits", "400 digits", "float", "year 10000"]
)
def test_a_time_beyond_all_years_is_too_far_ahead(tokens, expires):
    token = forge({"alg": "HS256"}, {"sub": "ann", "aud": "tessera", "exp": expires}, SECRET.encode())
    with pytest.raises(IdentityTokenError, match="expires more than 24 hours ahead"):
        tokens.verify(token)
