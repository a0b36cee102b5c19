"""Single byte strings made by the Java 4.9.8 store (log files of 4096 bytes, 50 slots, 40 entries), each with what made it."""

from __future__ import annotations

#: putMessage: topic T, queue 0, body hello, KEYS "k1 k2", TAGS TagA, born 1700000000000 at 10.1.2.3:5555, on 127.0.0.1:10911,
#: stored 1795246120507 at log offset 0, queue offset 0.
RECORD_V4 = bytes.fromhex(
    "00000075 daa320a7 3610a686 00000000 00000000 0000000000000000 0000000000000000"
    "00000000 0000018bcfe56800 0a010203000015b3 000001a1fd01de3b 7f00000100002a9f"
    "00000000 0000000000000000 00000005 68656c6c6f 01 54"
    "0014 4b455953016b31206b3202544147530154616741"
)
#: The next: both hosts IPv6 (2001:db8::1 port 5555, ::1 port 10911), KEYS k3, TAGS TagB, body hello6, stored 1795246120523.
RECORD_V6 = bytes.fromhex(
    "0000008b daa320a7 19554ca7 00000000 00000000 0000000000000001 0000000000000075"
    "00000030 0000018bcfe56800 20010db8000000000000000000000001000015b3 000001a1fd01de4b"
    "0000000000000000000000000000000100002a9f 00000000 0000000000000000 00000006 68656c6c6f36"
    "01 54 0011 4b455953016b3302544147530154616742"
)
RECORD_V6_ID = "0000000000000000000000000000000100002A9F0000000000000075"
#: AppendMessageResult END_OF_FILE with 50 bytes left in the file.
BLANK_OF_50 = bytes.fromhex("00000032 cbd43194")
#: The units of the two records, and of a message of delay level 1 at 348, 158 bytes, stored 1795246120529.
UNITS = (
    bytes.fromhex("0000000000000000 00000075 000000000027a807"),
    bytes.fromhex("0000000000000075 0000008b 000000000027a808"),
)
DELAYED_UNIT = bytes.fromhex("000000000000015c 0000009e 000001a1fd01e239")
DELAYED_STORED_MS = 1795246120529
#: The header of the first, full index file: times, log offsets, used slots, entries.
INDEX_HEADER_BYTES = bytes.fromhex("000001a1fd01de3b 000001a1fd01de7b 0000000000000000 0000000000001e8b 0000001b 00000028")
#: Entries 0 to 3 of it: none, T#k1, T#k2, T#k3.
INDEX_ENTRIES = (
    bytes(20),
    bytes.fromhex("0026bfb5 0000000000000000 00000000 00000000"),
    bytes.fromhex("0026bfb6 0000000000000000 00000000 00000000"),
    bytes.fromhex("0026bfb7 0000000000000075 00000000 00000000"),
)
#: String.hashCode.
HASHES = {"TagA": 2598919, "TagB": 2598920, "T#k1": 2539445, "": 0, "polygenelubricants": -2147483648}
