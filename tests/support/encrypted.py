"""Keys as `eyaml createkeys` makes them, and values encrypted with them, without a process for each."""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7


class Lock:
    """A pair of keys; `close` puts encrypted values in the place of the words that stand for them."""

    def __init__(self, folder: Path, clear: Mapping[str, str]) -> None:
        """Write the keys into `folder`; clear: what is encrypted, by its word."""
        key = rsa.generate_private_key(65537, 1024)  # short, since each process that reads it checks it
        name = x509.Name([])
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        issued = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(days=36500))
        certificate = issued.sign(key, hashes.SHA256())
        encoding = serialization.Encoding.PEM
        private = key.private_bytes(encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
        (folder / "private.pem").write_bytes(private)
        (folder / "public.pem").write_bytes(certificate.public_bytes(encoding))
        self._instead = {"EYAML-OPTIONS": f"{{pkcs7_private_key: {folder}/private.pem, pkcs7_public_key: {folder}/public.pem}}"}
        for word, text in clear.items():
            builder = pkcs7.PKCS7EnvelopeBuilder().set_data(text.encode()).add_recipient(certificate)
            cipher = builder.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
            self._instead[word] = f"ENC[PKCS7,{base64.b64encode(cipher).decode()}]"

    def close(self, text: str) -> str:
        """Give `text` with encrypted values where their words stand, and a level's options for EYAML-OPTIONS."""
        return re.sub("|".join(self._instead), lambda word: self._instead[word[0]], text)
