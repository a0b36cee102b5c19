"""The words `pymq-broker` and `pymq-namesrv` of twistd. Nothing of pymq is imported until one of them is run."""

from twisted.application.service import ServiceMaker

pymq_broker = ServiceMaker(
    "PyMQ broker",
    "pymq.tap.broker",
    "A RocketMQ broker, with a name server inside unless it is given one.",
    "pymq-broker",
)

pymq_namesrv = ServiceMaker(
    "PyMQ name server",
    "pymq.tap.namesrv",
    "A RocketMQ name server.",
    "pymq-namesrv",
)
