"""Settings: what is refused, and what they mean."""

from __future__ import annotations

import sys

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pymq.client.config import (
    ClientConfig,
    ConsumeFromWhere,
    LitePullConfig,
    MessageModel,
    ProducerConfig,
    PushConfig,
    client_id,
    local_address,
    make_config,
    name_server_addresses,
)
from pymq.errors import ConfigError
from pymq.message.compression import codec_of


class ConfigTests(SynchronousTestCase):
    """Keyword arguments to settings."""

    def test_java_s_defaults(self) -> None:
        """Those that a user of Java knows."""
        producer, push = ProducerConfig(), PushConfig()
        self.assertEqual((producer.send_msg_timeout_s, producer.retry_times_when_send_failed), (3.0, 2))
        self.assertEqual((producer.compress_msg_body_over_howmuch, producer.max_message_size), (4096, 4194304))
        self.assertEqual(producer.retry_response_codes, {17, 14, 1, 16, 204, 205})
        self.assertEqual((push.heartbeat_broker_interval_s, push.persist_consumer_offset_interval_s), (30.0, 5.0))
        self.assertEqual((push.pull_threshold_for_queue, push.consume_concurrently_max_span), (1000, 2000))
        self.assertEqual((push.suspend_timeout_s, push.pull_timeout_s), (15.0, 30.0))
        lite = LitePullConfig()
        self.assertEqual((lite.suspend_timeout_s, lite.pull_timeout_s, lite.poll_timeout_s), (20.0, 30.0, 5.0))
        self.assertEqual((lite.auto_commit, lite.auto_commit_interval_s, lite.pull_batch_size), (True, 5.0, 10))
        self.assertEqual((lite.pull_threshold_for_all, lite.pull_threshold_for_queue, lite.consume_max_span), (10000, 1000, 2000))

    def test_an_unknown_name_is_refused_with_the_near_one(self) -> None:
        """A slip of the pen must not go unnoticed."""
        error = self.assertRaises(ConfigError, make_config, ProducerConfig, {"send_timeout_s": 1})
        self.assertIn("send_msg_timeout_s", str(error))

    def test_bounds_are_checked(self) -> None:
        """An impossible value never gets into a client."""
        for cls, settings in (
            (PushConfig, {"pull_batch_size": 0}),
            (PushConfig, {"message_model": "SOMETIMES"}),
            (ProducerConfig, {"compress_level": 23}),
            (ProducerConfig, {"compress_type": "GZIP"}),
            (ClientConfig, {"heartbeat_broker_interval_s": 0}),
        ):
            self.assertRaises(ConfigError, make_config, cls, settings)

    def test_a_compression_without_its_package_is_refused(self) -> None:
        """When the producer is made, not at its first large message; the error says what to install."""
        codec_of.cache_clear()
        self.addCleanup(codec_of.cache_clear)
        self.patch(sys, "modules", {**sys.modules, "lz4.frame": None})
        error = self.assertRaises(ConfigError, make_config, ProducerConfig, {"compress_type": "LZ4"})
        self.assertIn("pip install pymq-broker[compression]", str(error))
        self.assertEqual(make_config(ProducerConfig, {}).compress_type, "ZLIB")

    def test_enums_may_be_given_by_name(self) -> None:
        """Text as in Java, or the member."""
        given = make_config(PushConfig, {"message_model": "BROADCASTING", "consume_from_where": "CONSUME_FROM_FIRST_OFFSET"})
        self.assertIs(given.message_model, MessageModel.BROADCASTING)
        self.assertIs(given.consume_from_where, ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET)
        self.assertIs(make_config(PushConfig, {"message_model": MessageModel.CLUSTERING}).message_model, MessageModel.CLUSTERING)

    def test_settings_do_not_change(self) -> None:
        """Frozen, so that what was checked stays true."""
        self.assertRaises(attrs.exceptions.FrozenInstanceError, setattr, ClientConfig(), "unit_name", "u")

    def test_name_servers(self) -> None:
        """Semicolons, spaces and an http prefix; each address once; the environment when nothing is given."""
        self.assertEqual(name_server_addresses(" a:1; http://b:2 ;;a:1"), ("a:1", "b:2"))
        self.assertEqual(name_server_addresses("", {"NAMESRV_ADDR": "c:3"}), ("c:3",))
        self.assertEqual(name_server_addresses("", {}), ())

    def test_client_ids(self) -> None:
        """ip@instance, with the unit behind it."""
        self.assertEqual(client_id(ClientConfig(client_ip="10.0.0.7"), "i"), "10.0.0.7@i")
        self.assertEqual(client_id(ClientConfig(unit_name="u"), "i", lambda: "10.0.0.8"), "10.0.0.8@i@u")

    def test_this_machine_has_an_address(self) -> None:
        """Digits, or a v6 address without its zone."""
        self.assertRegex(local_address(), r"^[0-9a-f.:]+$")
