"""Writes the corpus beside it: one file for each idea that broke, or could break, a reader of this kind.

    python3 make.py

Fuzzers start from these files, and `tests/corpus.rs` runs each of them through its body.
"""

import base64
import hashlib
import hmac
import pathlib

HERE = pathlib.Path(__file__).parent
KEY = b"a key that everybody may know!!!"
SECRET = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims, kid="fuzz"):
    signed = f"v1.{kid}.{b64(claims)}"
    mac = hmac.new(KEY, b"forebay native token\0" + signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{b64(mac)}".encode()


def write(target, cases):
    for name, data in cases.items():
        (HERE / target / name).write_bytes(data if isinstance(data, bytes) else data.encode())


LEAST = bytes.fromhex("a3 01 1a 6b49e010 03 01 04 81 6c") + b"/vod/show/**"
WHOLE = (
    bytes.fromhex("a6 01 1a 6b49e010 02 1a 6b49d200 03 07 04 82 66")
    + b"/vod/*\x63/**"
    + bytes.fromhex("05 63 416e61 06 63 732d31")
)
write("token", {
    "claims-least": LEAST,
    "claims-whole": WHOLE,
    "claims-empty-map": b"\xa0",
    "claims-indefinite-map": b"\xbf" + LEAST[1:] + b"\xff",
    "claims-long-head": b"\xb8\x03" + LEAST[1:],
    "claims-long-integer": LEAST.replace(b"\x03\x01\x04", b"\x03\x18\x01\x04"),
    "claims-twice": b"\xa4" + LEAST[1:8] + LEAST[1:],
    "claims-trailing": LEAST + b"\x00",
    "claims-unknown": b"\xa4" + LEAST[1:] + b"\x07\x00",
    "claims-huge-array": b"\xa1\x04\x9b" + b"\xff" * 8,
    "claims-deep": b"\x81" * 512,
    "claims-expiry-2-63": bytes.fromhex("a3 01 1b 8000000000000000 03 01 04 81 63") + b"/**",
    "token-least": token(LEAST),
    "token-whole": token(WHOLE),
    "token-other-key": token(LEAST, "other"),
    "token-bad-claims": token(b"\xa0"),
    "token-flipped": token(LEAST)[:-2] + b"AA",
    "token-trailing-bits": token(LEAST)[:-1] + b"_",
    "token-padded": token(LEAST) + b"=",
    "token-kid-path": token(LEAST).replace(b".fuzz.", b"./etc/passwd."),
    "token-version-2": token(LEAST).replace(b"v1.", b"v2."),
    "token-dots": b"." * 64,
})

write("path", {
    f"{number:02}": raw
    for number, raw in enumerate([
        "/", "/vod/show/7/video-720/42.m4s", "/live/ev1/../ev2/a", "/live/%2e%2e/a", "/live/.%2E/a", "/live/..%2fa",
        "/live/%252e%252e/a", "/live\\..\\a", "//a", "/a//", "/a/./b", "/a;x=y/b", "/a/..;/b", "/a%00", "/a\tb", "/a\nb",
        "/%c0%ae%c0%ae/a", "/．．/a", "/a／b", "/%65v1", "/a./b", "/a%20/b", "/a%20b", "/été/%C3%A9", "http://h/a", "*", "",
        "/a#b", "/a?b", "/%", "/%4", "/%zz", "/%ed%a0%80", "/a/", "/.well-known", "/...", "/%E2%80%8B", "/a%2a+~", "/%25",
        "/" + "a" * 8191, "/" + "a" * 8192, "/" + "%61" * 2730,
    ])
})

ONE = f'{{"kid":"a","secret":"{SECRET}","state":"active"}}'
write("key_file", {
    "one": f'{{"keys":[{ONE}]}}',
    "three-states": '{"keys":[%s]}' % ",\n".join(
        f'{{"kid":"{kid}","secret":"{SECRET}","state":"{state}"}}'
        for kid, state in [("a", "retiring"), ("b", "active"), ("c", "revoked")]
    ),
    "empty": "",
    "no-keys": '{"keys":[]}',
    "cut": f'{{"keys":[{ONE}'[:-9],
    "twice": f'{{"keys":[{ONE},{ONE}]}}',
    "member-twice": f'{{"keys":[{ONE}],"keys":[{ONE}]}}',
    "unknown-member": '{"keys":[%s]}' % ONE.replace('"kid"', '"use":"sig","kid"'),
    "unknown-state": '{"keys":[%s]}' % ONE.replace("active", "staged"),
    "short-secret": '{"keys":[%s]}' % ONE.replace(SECRET, SECRET[:40]),
    "padded-secret": '{"keys":[%s]}' % ONE.replace(SECRET, SECRET + "="),
    "escaped": '{"keys":[%s]}' % ONE.replace('"a"', '"\\u0061"').replace("active", "acti\\u0076e"),
    "kid-path": '{"keys":[%s]}' % ONE.replace('"a"', '"../a"'),
    "byte-order-mark": "\ufeff" + f'{{"keys":[{ONE}]}}',
    "deep": "[" * 1000,
    "as-array": f'[[["a","{SECRET}","active"]]]',
})

TOKEN = token(LEAST).decode()
write("carrier", {
    "path": f"/t/{TOKEN}/vod/a/1.m4s?_HLS_msn=3",
    "bearer": f"/vod/a\na:Bearer {TOKEN}",
    "cookie": f"/vod/a\nc:a=b; token={TOKEN}; c=d",
    "query": f"/vod/a?x=1&token={TOKEN}&y=2",
    "everywhere": f"/t/{TOKEN}/vod/a?token={TOKEN}\na:Bearer {TOKEN}\nc:token={TOKEN}",
    "differ": "/t/x/vod/a?token=y",
    "parameters-twice": "/vod/a?token=x&token=x",
    "cookies-twice": "/vod/a\nc:token=x\nc:token=x",
    "joined": "/vod/a\na:Bearer x, Bearer y",
    "empty-everywhere": "/t//vod/a?token=\na:Bearer \nc:token=",
    "prefix-twice": "/t/x/t/y/vod/a",
    "prefix-encoded": "/%74/x/vod/a",
    "prefix-dots": "/t/../vod/a",
    "prefix-alone": "/t/x",
    "name-encoded": "/vod/a?%74oken=x",
    "semicolon": "/vod/a?b;token=x",
    "fragment": "/vod/a?b#token=x",
    "traversal": "/t/x/vod/%2e%2e/b",
    "nothing": "",
    "question": "?",
    "ampersands": "/vod/a?&&token=x&&",
})
