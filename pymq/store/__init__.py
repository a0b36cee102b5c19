"""Messages on disk in Apache RocketMQ's files, and the same in memory; both are an `IMessageStore` and know no Twisted.

Read `segment` and `segmentlist` (files in a row), `commitlog` (all records, the only truth), `consumequeue` and `queuetable`
(where each queue's records are), `consumequeueext` and `extendedqueue` (what may be kept beside), `keyindex` (records by key),
`dispatch` (from the first to the latter), `recovery`, `reading`, `maintenance`, then `store`, which puts them together. `files`
is the disk.
"""
