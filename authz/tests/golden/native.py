"""Writes native.txt: tokens made without a line of this crate, from CBOR bytes written out by hand.

    python3 native.py > native.txt

Each line: name, secret in hex, claims in hex, token.
"""

import base64
import hashlib
import hmac

DOMAIN = b"forebay native token\0"
COUNTING = bytes(range(32))
LONG = b"\xaa" * 131  # longer than a block of the hash


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def line(name, secret, kid, claims):
    signed = "v1." + kid + "." + b64(claims)
    mac = hmac.new(secret, DOMAIN + signed.encode("ascii"), hashlib.sha256).digest()
    print(name, secret.hex(), claims.hex(), signed + "." + b64(mac))


# {1: 1800003600, 3: 1, 4: ["/vod/show/**"]}
line("least", COUNTING, "2027-01", bytes.fromhex("a3 01 1a 6b49e010 03 01 04 81 6c") + b"/vod/show/**")

# {1: 1800003600, 2: 1800000000, 3: 7, 4: ["/live/ev1/main.m3u8", "/live/ev1/s7/**"], 5: "Ana Žižić", 6: "s-1_A"}
line(
    "whole",
    LONG,
    "k",
    bytes.fromhex("a6 01 1a 6b49e010 02 1a 6b49d200 03 07 04 82 73")
    + b"/live/ev1/main.m3u8"
    + bytes.fromhex("6f")
    + b"/live/ev1/s7/**"
    + bytes.fromhex("05 6c 416e6120 c5bd 69 c5be 69 c487")
    + bytes.fromhex("06 65 732d315f41"),
)

# {1: 253402300799, 3: 2, 4: ["/" + 30 * "a"]}: the latest expiry, in eight bytes, and a text with a two-byte head
line("wide", COUNTING, "2027-01", bytes.fromhex("a3 01 1b 0000003afff4417f 03 02 04 81 78 1f") + b"/" + b"a" * 30)
