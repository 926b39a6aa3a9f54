"""A self-signed certificate for a server on loopback, made by the openssl command."""

from __future__ import annotations

import subprocess
from pathlib import Path

from headrace import errors
from headrace.servers.launch import find_binary


def self_signed(folder: Path, *, host: str) -> tuple[Path, Path]:
    """Writes ``cert.pem`` and ``key.pem`` into ``folder``, valid for ``host`` (an IP address) and localhost.

    An existing pair is kept, so that a restarted server shows the same certificate. Returns both paths.
    Raises NotFound without openssl, IoError when it fails.
    """
    cert, key = folder / "cert.pem", folder / "key.pem"
    if cert.exists() and key.exists():
        return cert, key
    options = f"-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={host}"
    command = [find_binary("openssl", "openssl"), "req", *options.split()]
    command += ["-addext", f"subjectAltName=IP:{host},DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    if done.returncode != 0:
        raise errors.IoError(f"openssl could not make a certificate in {folder}: {done.stderr.strip()}")
    return cert, key
