# Tests: tests/client/test_tls.py
"""Connections over TLS, by the settings that Java has as `tls.*` properties (Java: TlsHelper, TlsSystemConfig).

As in Java the server is believed unless `tls_client_auth_server` is set; then its certificate must be signed by one in
`tls_client_trust_cert_path`, or else by an authority that the system trusts. The name in it is not compared: brokers are known by
addresses that name servers give.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from pymq.client.config import ClientConfig
from pymq.errors import ConfigError
from pymq.remoting.client import Secure


def ssl_context(config: ClientConfig) -> ssl.SSLContext | None:
    """What asyncio's connections take; None without TLS. Raises ConfigError for files that cannot be used."""
    if not config.tls_enable:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if config.tls_client_auth_server else ssl.CERT_NONE
    if config.tls_client_auth_server and not config.tls_client_trust_cert_path:
        context.load_default_certs()
    if config.tls_client_trust_cert_path:
        _use("tls_client_trust_cert_path", config.tls_client_trust_cert_path, context.load_verify_locations)
    if config.tls_client_cert_path:
        key = config.tls_client_key_path or None
        password = config.tls_client_key_password
        _use(
            "tls_client_cert_path",
            config.tls_client_cert_path,
            lambda path: context.load_cert_chain(path, key, lambda: password),
        )
    return context


def secure_by(config: ClientConfig) -> Secure | None:
    """What gives TLS to Twisted's endpoints; None without TLS. Raises ConfigError, also when pyOpenSSL is not installed."""
    if not config.tls_enable:
        return None
    ssl_context(config)
    try:
        from OpenSSL import SSL
        from twisted.internet.endpoints import wrapClientTLS
        from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
    except ImportError as error:
        raise ConfigError("tls_enable", True, "on Twisted it needs more packages: pip install 'pymq-broker[tls]'") from error
    from zope.interface import implementer

    context = _openssl_context(SSL, config)

    @implementer(IOpenSSLClientConnectionCreator)
    class Creator:
        """One connection each."""

        def clientConnectionForTLS(self, protocol: Any) -> Any:
            return SSL.Connection(context, None)

    def secure(host: str, endpoint: IStreamClientEndpoint) -> IStreamClientEndpoint:
        wrapped: IStreamClientEndpoint = wrapClientTLS(Creator(), endpoint)
        return wrapped

    return secure


def _openssl_context(openssl: Any, config: ClientConfig) -> Any:
    """The same as `ssl_context`, which has checked the files, for pyOpenSSL."""
    context = openssl.Context(openssl.TLS_METHOD)
    if config.tls_client_auth_server:
        context.set_verify(openssl.VERIFY_PEER, lambda connection, certificate, error, depth, ok: ok)
        if not config.tls_client_trust_cert_path:
            context.set_default_verify_paths()
    if config.tls_client_trust_cert_path:
        context.load_verify_locations(config.tls_client_trust_cert_path)
    if config.tls_client_cert_path:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = Path(config.tls_client_key_path or config.tls_client_cert_path).read_bytes()
        context.use_certificate_chain_file(config.tls_client_cert_path)
        context.use_privatekey(load_pem_private_key(key, config.tls_client_key_password.encode() or None))
    return context


def _use(setting: str, path: str, load: Any) -> None:
    try:
        load(path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(setting, path, str(error)) from error
