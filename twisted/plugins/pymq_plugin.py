"""The words `pymq-broker` and `pymq-namesrv` of twistd, and the stores that `storeType` names.

Hardly anything of pymq is imported until one of them is used.
"""

from twisted.application.service import ServiceMaker

from pymq.services.storeplugin import StoreProvider

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

pymq_file_store = StoreProvider("default", "pymq.services.storeproviders.open_files", "Apache RocketMQ's files")

pymq_memory_store = StoreProvider("memory", "pymq.services.storeproviders.open_memory", "nothing on disk, for tests", keeps=False)
