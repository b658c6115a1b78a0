"""Identity tokens: with one, the site's server vouches for the user whom a page names.

A token is a JSON Web Token, signed with HS256 and a secret that the site's servers share with the service. Its
claims are `sub` (the user_id), `aud` ("tessera"), `exp` (required), and optionally `anonymous_id` (the device that
the server saw). A token for the visitor's own page has the `aud` "tessera:me": pages hold the other kind, and what
a script can read there must not open what is known of a person.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ml.errors import TesseraError

AUDIENCE = "tessera"
VISITOR_PAGE = "tessera:me"
ALGORITHM = "HS256"
MIN_SECRET_BYTES = 32
MAX_TOKEN_CHARS = 4_096
MAX_ID_CHARS = 256
HEADER = "tessera-identity"
FIELD = "identity_token"


class IdentitySecretError(TesseraError, ValueError):
    """A secret of TESSERA_IDENTITY_SECRETS that anybody could guess; the message does not hold it."""


class IdentityTokenError(TesseraError, ValueError):
    """A token that vouches for nobody. The message says what is wrong with it."""


@dataclass(frozen=True)
class Identity:
    """The user whom a token names, and the device that the site's server saw, if the token says so."""

    user_id: str
    anonymous_id: str | None = None


class IdentityTokens:
    """Verifies identity tokens.

    Args:
        secrets: The secrets that tokens may be signed with; several while a secret is replaced.
        max_hours: How far ahead a token may expire.

    Raises:
        IdentitySecretError: A secret is shorter than 32 bytes, or is no secret but a key in PEM.
    """

    def __init__(self, secrets: Sequence[str], max_hours: float) -> None:
        for number, secret in enumerate(secrets, start=1):
            length = len(secret.encode())
            if length < MIN_SECRET_BYTES:
                raise IdentitySecretError(
                    f"secret {number} of TESSERA_IDENTITY_SECRETS has {length} bytes; at least {MIN_SECRET_BYTES} "
                    "are needed, such as those of `openssl rand -hex 32`"
                )
            if "-----BEGIN" in secret:
                raise IdentitySecretError(
                    f"secret {number} of TESSERA_IDENTITY_SECRETS is a key in PEM, no secret"
                )
        self._secrets = tuple(secrets)
        self._max_hours = max_hours

    def verify(self, token: str, audience: str = AUDIENCE) -> Identity:
        """Return whom a token vouches for.

        Args:
            token: The token.
            audience: What it has to be made for.

        Raises:
            IdentityTokenError: The token is not valid.
        """
        if not self._secrets:
            raise IdentityTokenError("cannot be verified, because the service has no TESSERA_IDENTITY_SECRETS")
        if len(token) > MAX_TOKEN_CHARS:
            raise IdentityTokenError(f"has {len(token)} characters; at most {MAX_TOKEN_CHARS} are taken")
        claims = self._decode(token, audience)
        seconds_ahead = int(claims["exp"]) - int(time.time())  # of any size, also beyond the years of a datetime
        if seconds_ahead > self._max_hours * 3600:
            raise IdentityTokenError(f"expires more than {self._max_hours:g} hours ahead")
        user_id, anonymous_id = claims["sub"], claims.get("anonymous_id")
        for name, value in (("sub", user_id), ("anonymous_id", anonymous_id)):
            is_absent = value is None and name == "anonymous_id"
            if not is_absent and not (isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS):
                raise IdentityTokenError(f"has a claim {name} that is not text of 1 to {MAX_ID_CHARS} characters")
        return Identity(user_id, anonymous_id)

    def _decode(self, token: str, audience: str) -> dict[str, Any]:
        """Verify the signature and the claims that every token has, and return all claims."""
        import jwt  # noqa: PLC0415  it loads cryptography, which a service without tokens does not need

        for secret in self._secrets:
            try:
                claims: dict[str, Any] = jwt.decode(
                    token, secret, algorithms=[ALGORITHM], audience=audience,
                    options={"require": ["exp", "sub", "aud"]},
                )  # fmt: skip
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidAlgorithmError:
                raise IdentityTokenError(f"is not signed with {ALGORITHM}") from None
            except jwt.ExpiredSignatureError:
                raise IdentityTokenError("has expired") from None
            except jwt.InvalidAudienceError:
                raise IdentityTokenError(f"has another aud than {audience!r}") from None
            except jwt.MissingRequiredClaimError as error:
                raise IdentityTokenError(f"lacks the claim {error.claim}") from None
            except (jwt.PyJWTError, ValueError, OverflowError) as error:
                raise IdentityTokenError(f"cannot be read as a JSON Web Token: {str(error)[:120]}") from None
            return claims
        raise IdentityTokenError("is signed with a secret that the service does not have")
