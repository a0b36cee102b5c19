"""TLS by loopback: asyncio's own server on one side, both kinds of connections on the other."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, PrivateCertificate, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase, TestCase

from pymq.aio.loopclock import LoopClock
from pymq.aio.looptransport import connect_by_loop
from pymq.client.config import ClientConfig, make_config
from pymq.client.tls import secure_by, ssl_context
from pymq.errors import ConfigError
from pymq.remoting.client import connect_by

CERTIFICATES = Path(__file__).with_name("certificates")
HANG_S = 30

TRUSTING = {"tls_enable": True}
VERIFYING = {**TRUSTING, "tls_client_auth_server": True, "tls_client_trust_cert_path": str(CERTIFICATES / "authority.pem")}
SUSPICIOUS = {**VERIFYING, "tls_client_trust_cert_path": str(CERTIFICATES / "stranger.pem")}
KNOWN = {
    **VERIFYING,
    "tls_client_cert_path": str(CERTIFICATES / "client.pem"),
    "tls_client_key_path": str(CERTIFICATES / "client.key.pem"),
    "tls_client_key_password": "secret",
}


def config_of(settings: dict[str, Any]) -> ClientConfig:
    """Settings as a client has them."""
    return make_config(ClientConfig, settings)


class Hello(Protocol):
    """Fires `said` with the first bytes, or the reason why none came."""

    def __init__(self) -> None:
        self.said: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """What the server says."""
        if not self.said.called:
            self.said.callback(data)

    def connectionLost(self, reason: Any = None) -> None:
        """Nothing more."""
        if not self.said.called:
            self.said.errback(reason)


class ConfigTests(SynchronousTestCase):
    """What can be wrong with the files."""

    def test_off(self) -> None:
        """Nothing is made."""
        self.assertEqual((ssl_context(ClientConfig()), secure_by(ClientConfig())), (None, None))

    def test_files_that_cannot_be_used(self) -> None:
        """The setting and the file are named."""
        for name in ("tls_client_trust_cert_path", "tls_client_cert_path"):
            for path in ("/does/not/exist", str(CERTIFICATES / "README")):
                error = self.assertRaises(ConfigError, secure_by, config_of({**TRUSTING, name: path}))
                self.assertIn(name, str(error))
                self.assertIn(path, str(error))

    def test_a_wrong_password(self) -> None:
        """The key stays closed."""
        settings = config_of({**KNOWN, "tls_client_key_password": "wrong"})
        self.assertRaises(ConfigError, ssl_context, settings)

    def test_the_systems_authorities(self) -> None:
        """When none are given."""
        context = ssl_context(config_of({**TRUSTING, "tls_client_auth_server": True}))
        assert context is not None
        self.assertIs(context.verify_mode, ssl.CERT_REQUIRED)
        self.assertIsNotNone(secure_by(config_of({**TRUSTING, "tls_client_auth_server": True})))


class LoopTlsTests(SynchronousTestCase):
    """asyncio's connections."""

    def hello(self, settings: dict[str, Any], *, asks_for_certificate: bool = False) -> bytes:
        """What a server says to a client with these settings."""
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key.pem")
        if asks_for_certificate:
            serving.load_verify_locations(CERTIFICATES / "authority.pem")
            serving.verify_mode = ssl.CERT_REQUIRED

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            await reader.read()
            writer.close()

        async def work() -> bytes:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: None)
            server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
            async with server:
                connect = connect_by_loop(LoopClock(), ssl_context(config_of(settings)))
                connected = connect("127.0.0.1", server.sockets[0].getsockname()[1], Factory.forProtocol(Hello))
                protocol = await connected.asFuture(loop)
                try:
                    said: bytes = await protocol.said.asFuture(loop)
                finally:
                    protocol.transport.abortConnection()
                return said

        return asyncio.run(asyncio.wait_for(work(), HANG_S))

    def test_anybody_is_believed(self) -> None:
        """As Java does, unless told otherwise."""
        self.assertEqual(self.hello(TRUSTING), b"hello")

    def test_certificates_are_verified(self) -> None:
        """The right authority, and a wrong one."""
        self.assertEqual(self.hello(VERIFYING), b"hello")
        self.assertRaises(ssl.SSLCertVerificationError, self.hello, SUSPICIOUS)

    def test_our_own_certificate(self) -> None:
        """For a server that asks."""
        self.assertEqual(self.hello(KNOWN, asks_for_certificate=True), b"hello")
        self.assertRaises((ssl.SSLError, Exception), self.hello, VERIFYING, asks_for_certificate=True)


class TwistedTlsTests(TestCase):
    """Twisted's connections."""

    timeout = HANG_S

    async def hello(self, settings: dict[str, Any], *, asks_for_certificate: bool = False) -> bytes:
        """The same, with a server of Twisted's."""
        from twisted.internet import reactor

        pem = (CERTIFICATES / "server.key.pem").read_text() + (CERTIFICATES / "server.pem").read_text()
        authority = Certificate.loadPEM((CERTIFICATES / "authority.pem").read_text())
        trusted = {"trustRoot": trustRootFromCertificates([authority])} if asks_for_certificate else {}
        certificate = PrivateCertificate.loadPEM(pem)
        options = CertificateOptions(privateKey=certificate.privateKey.original, certificate=certificate.original, **trusted)

        class Greeter(Protocol):
            def connectionMade(self) -> None:
                self.transport.write(b"hello")  # type: ignore[union-attr]  # it is connected

        endpoint = SSL4ServerEndpoint(reactor, 0, options, interface="127.0.0.1")
        port = await endpoint.listen(Factory.forProtocol(Greeter))
        try:
            connect = connect_by(reactor, secure_by(config_of(settings)))
            protocol = await connect("127.0.0.1", port.getHost().port, Factory.forProtocol(Hello))
            said: bytes = await protocol.said
            gone: Deferred[None] = Deferred()
            protocol.connectionLost = lambda reason: gone.callback(None)
            protocol.transport.loseConnection()
            await gone
            return said
        finally:
            await port.stopListening()

    def test_anybody_is_believed(self) -> Deferred[None]:
        """As Java does, unless told otherwise."""

        async def work() -> None:
            self.assertEqual(await self.hello(TRUSTING), b"hello")

        return Deferred.fromCoroutine(work())

    def test_certificates_are_verified(self) -> Deferred[None]:
        """The right authority, and a wrong one."""

        async def work() -> None:
            self.assertEqual(await self.hello(VERIFYING), b"hello")
            with self.assertRaises(Exception):  # noqa: B017  # OpenSSL's own class
                await self.hello(SUSPICIOUS)

        return Deferred.fromCoroutine(work())

    def test_our_own_certificate(self) -> Deferred[None]:
        """For a server that asks."""

        async def work() -> None:
            self.assertEqual(await self.hello(KNOWN, asks_for_certificate=True), b"hello")
            with self.assertRaises(Exception):  # noqa: B017  # OpenSSL's own class
                await self.hello(VERIFYING, asks_for_certificate=True)

        return Deferred.fromCoroutine(work())
