"""Changes bytes and texts at random, as accidents and people do."""

import gzip
import random

# What readers of text trip over.
_PIECES = (
    *(b"\x00", b"\xff", b"\xc3", b"\r", b"\n", b"\r\n\r\n", b'"', b"'", b","),
    *(b"\t", b"::", b" ", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\\", b"{", b"}"),
    *(b"[", b"]", b"null", b"NaN", b"inf", b"-1", b"1e999", b"9" * 25, b"0x1f"),
    *(b"1970-01-01", b"9999-12-31T23:59:60Z", b"2014-02-30", b"=", b"%s"),
    b"a" * 100_000,
)
_VALUES = (
    *(
        "",
        " ",
        "0",
        "-1",
        "1",
        "2",
        "0.5",
        "1.5",
        "nan",
        "inf",
        "-inf",
        "1e400",
    ),
    *("9" * 30, "true", "None", "é", "\udcff", "a,b", ",", "*", "[", "../x"),
    *("/dev/null", "/", "~", "http://x", "\n", "a\tb", "2GB", "1e3", "0x10"),
    *("2018-01-31", "2018-13-01", "--x", "'", '"', "%", "{}", "\x00"),
)


def mutate_bytes(rng: random.Random, content: bytes) -> bytes:
    """Returns other bytes: one to four small changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = _once(rng, content)
    return content


def mutate_file(rng: random.Random, name: str, content: bytes) -> bytes:
    """Returns other bytes of a file; of a .gz also other ones within."""
    if name.endswith(".gz") and rng.random() < 0.6:
        inner = mutate_bytes(rng, gzip.decompress(content))
        return gzip.compress(inner, 1)
    return mutate_bytes(rng, content)


def mutate_flags(
    rng: random.Random, flags: dict[str, str], known: list[str]
) -> list[str]:
    """Returns other flags: values, names, more of them, fewer.

    Args:
        rng: What draws.
        flags: Values by name.
        known: Names of all flags that there are.
    """
    flags = dict(flags)
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.randrange(5)
        name = rng.choice(sorted(flags) or known)
        if kind == 0:
            flags.pop(name, None)
        elif kind == 1:
            flags[name] = rng.choice(_VALUES)
        elif kind == 2:
            flags[rng.choice(known)] = rng.choice(_VALUES)
        elif kind == 3:
            text = flags.get(name, "").encode(errors="surrogateescape")
            flags[name] = _once(rng, text[:1000])[:1000].decode(
                errors="surrogateescape"
            )
        else:
            other = _once(rng, name.encode())[:50].decode(errors="replace")
            flags[other] = flags.get(name, "")
    return [f"--{name}={value}" for name, value in flags.items()]


def _once(rng: random.Random, content: bytes) -> bytes:
    size = len(content)
    place = rng.randrange(size + 1)
    length = min(size - place, rng.choice((1, 1, 2, 8, 100)))
    kind = rng.randrange(9)
    if kind == 0 and size:  # A bit.
        place = rng.randrange(size)
        changed = content[place] ^ (1 << rng.randrange(8))
        return content[:place] + bytes([changed]) + content[place + 1 :]
    if kind == 1:
        return content[:place]
    if kind == 2:
        return content[:place] + content[place + length :]
    if kind == 3:
        part = content[place : place + length]
        return content[:place] + part * 2 + content[place + length :]
    if kind == 4:
        return content[:place] + rng.randbytes(length) + content[place:]
    if kind == 5:  # A line again, elsewhere.
        lines = content.splitlines(keepends=True) or [b""]
        lines.insert(rng.randrange(len(lines)), rng.choice(lines))
        return b"".join(lines)
    if kind == 6:  # Fields.
        lines = content.splitlines(keepends=True) or [b""]
        lines.pop(rng.randrange(len(lines)))
        rng.shuffle(lines)
        return b"".join(lines)
    piece = rng.choice(_PIECES)
    return content[:place] + piece + content[place + length * (kind == 7) :]
