Consume queue extensions and filter bit maps, as in Apache's files: with ``enableConsumeQueueExt`` and ``enableCalcFilterBitMap`` pulls
by SQL92 pass over messages that do not match without reading them. ``consumerFilter.json`` holds Apache's bloom filter data.
