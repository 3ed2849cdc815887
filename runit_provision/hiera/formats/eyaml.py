"""Encrypted values as hiera-eyaml writes them, `ENC[PKCS7,...]`; the library `cryptography` does the work.

Options of the level: pkcs7_private_key and pkcs7_public_key, paths, or pkcs7_private_key_env_var and pkcs7_public_key_env_var,
names of environment variables that hold the keys, as hiera-eyaml has them. Keys are read when the first value is to be opened.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from runit_provision.errors import DataError, Mark, Problem, nearest
from runit_provision.inputs import Inputs

_ENCRYPTED = re.compile(r"ENC\[.*?\]")
_TOKEN = re.compile(r"ENC\[(?:(\w+),)?([a-zA-Z0-9+/ =\n]+?)\]", re.ASCII)
_DAMAGED = re.compile(r"ENC\[(?i:PKCS7),(?![a-zA-Z0-9+/ =\n]+?\])", re.ASCII)
"""Begins as an encrypted value, but is none; hiera-eyaml would give it out as it is."""
_SCHEME = "PKCS7"
_OPTIONS = ("pkcs7_private_key", "pkcs7_public_key", "pkcs7_private_key_env_var", "pkcs7_public_key_env_var")
_KEY_FILE_HINT = "it is a PEM file that `eyaml createkeys` wrote"
_KEYS_HINT = "give pkcs7_private_key and pkcs7_public_key in the level's options"


def is_encrypted(text: str) -> bool:
    """Whether something in `text` is encrypted, or was and is damaged."""
    return _ENCRYPTED.search(text) is not None or _DAMAGED.search(text) is not None


def opener(options: Mapping[str, Any], inputs: Inputs) -> Callable[[str], str]:
    """Give what opens a string with encrypted parts; it raises DataError, without anything secret, when it cannot."""

    @cache
    def keys() -> _Keys:
        return _Keys(_key(options, "private", inputs), _key(options, "public", inputs))

    @cache
    def open_token(scheme: str | None, cipher: str) -> str:
        if scheme and scheme.upper() != _SCHEME:
            raise _problem(f"encrypted with {scheme}", "only PKCS7 is known; encrypt it again with `eyaml recrypt`")
        try:
            return keys().decrypt(base64.b64decode(re.sub(r"\s", "", cipher))).decode()
        except ValueError:
            raise _problem(f"cannot be decrypted with {keys().private}", "was it encrypted for another key?") from None

    def open_text(text: str) -> str:
        if _DAMAGED.search(text):
            raise _problem("no encrypted value, though it begins as one: `ENC[PKCS7,`", "encrypt it again, and copy all of it")
        opened = _TOKEN.sub(lambda token: open_token(token[1], token[2]), text)
        return opened.removesuffix("\n").removesuffix("\r")

    return open_text


def _problem(message: str, hint: str, path: str = "") -> DataError:
    return DataError(Problem(message, Mark(path, 1, 1) if path else None, hint=hint))


def _key(options: Mapping[str, Any], kind: str, inputs: Inputs) -> tuple[bytes, str]:
    """Give a key's PEM text and where it is from."""
    variable, path = options.get(f"pkcs7_{kind}_key_env_var"), options.get(f"pkcs7_{kind}_key")
    if variable and (value := inputs.variable(str(variable))) is not None:
        return value.encode(), f"${variable}"
    name = f"pkcs7_{kind}_key"
    marks: Mapping[str, Mark] = getattr(options, "marks", {})
    if not path:
        slip = next((other for other in options if other not in _OPTIONS and nearest(other, [name])), None)
        hint = _KEYS_HINT if slip is None else f"{_KEYS_HINT}; is `{slip}` meant to be `{name}`?"
        place = marks.get(slip) if slip else getattr(options, "mark", None)
        raise DataError(Problem(f"an encrypted value, but no {kind} key", place, hint=hint))
    try:
        return inputs.file(str(path)), str(path)
    except OSError as error:
        what = f"cannot read the {kind} key: {error.strerror}"
        raise DataError(Problem(what, marks.get(name), path=str(path), hint=_KEYS_HINT)) from None


class _Keys:
    """A pair of keys, ready; `private` is where the private one is from."""

    def __init__(self, private: tuple[bytes, str], public: tuple[bytes, str]) -> None:
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs7
        except ImportError:
            raise _problem("encrypted values need the library `cryptography`", "pip install 'runit-provision[eyaml]'") from None
        self.private = private[1]
        try:
            key = load_pem_private_key(private[0], None)
        except (ValueError, TypeError):
            raise _problem("not a private key without a passphrase", _KEY_FILE_HINT, private[1]) from None
        if not isinstance(key, RSAPrivateKey):
            raise _problem("the private key is no RSA key", _KEY_FILE_HINT, private[1])
        try:
            certificate = x509.load_pem_x509_certificate(public[0])
        except ValueError:
            raise _problem("not a certificate", _KEY_FILE_HINT, public[1]) from None
        if certificate.public_key() != key.public_key():
            message = f"the private key and the public one are no pair: {self.private} and {public[1]}"
            raise _problem(message, "give both as one `eyaml createkeys` wrote them")
        self.decrypt: Callable[[bytes], bytes] = lambda cipher: pkcs7.pkcs7_decrypt_der(cipher, certificate, key, [])
