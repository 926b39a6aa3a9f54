"""Chunked content (RFC 9112, section 7) and trailers (RFC 9110, section 6.5)."""

from __future__ import annotations

from tests.conformance.case import REFUSED, SERVED, Case, chunked, echo, table

CASES = [
    *table(
        "9112 7.1",
        SERVED,
        {
            "one chunk": chunked(b"5\r\nhello\r\n0\r\n\r\n"),
            "two chunks": chunked(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
            "leading zeros of a size": chunked(b"0005\r\nhello\r\n0\r\n\r\n"),
            "several zeros of the last chunk": chunked(b"5\r\nhello\r\n000\r\n\r\n"),
            "an extension": chunked(b"5;name\r\nhello\r\n0\r\n\r\n"),
            "an extension with a value": chunked(b"5;name=value\r\nhello\r\n0\r\n\r\n"),
            "an extension with a quoted value": chunked(
                b'5;name="a;b\\"\r"\r\nhello\r\n0\r\n\r\n'.replace(b'\r"', b'"')
            ),
            "several extensions": chunked(b"5;a;b=c;d\r\nhello\r\n0\r\n\r\n"),
            "blanks around an extension": chunked(b"5 ; name = value\r\nhello\r\n0\r\n\r\n"),
            "an extension of the last chunk": chunked(b"5\r\nhello\r\n0;end\r\n\r\n"),
            "a trailer": chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
            "several trailers": chunked(b"5\r\nhello\r\n0\r\nX: 1\r\nY: 2\r\n\r\n"),
        },
        body=b"hello",
    ),
    Case(
        "sizes in both cases of hexadecimal",
        "9112 7.1",
        chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
        SERVED,
        body=b"0123456789" * 2,
    ),
    Case(
        "chunks that look like chunks",
        "9112 7.1",
        chunked(b"7\r\n0\r\n\r\nGE\r\n0\r\n\r\n"),
        SERVED,
        body=b"0\r\n\r\nGE",
    ),
    Case(
        "chunks cut into packets",
        "9112 7.1",
        [echo(b"Transfer-Encoding: chunked"), b"5", b"\r", b"\nhe", b"llo\r", b"\n0\r\n", b"\r\n"],
        SERVED,
        body=b"hello",
    ),
    Case("1000 chunks of one byte", "9112 7.1", chunked(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n"), SERVED, body=b"x" * 1000),
    *table(
        "9112 7.1",
        REFUSED,
        {
            f"chunk size {size!r}": chunked(size + b"\r\nhello\r\n0\r\n\r\n")
            for size in (
                b"",
                b"-5",
                b"+5",
                b"0x5",
                b" 5",
                b"\t5",
                b"5 ",
                b"5\t",
                b"5h",
                b"g",
                b"5_0",
                b"5.",
                b"5,",
                b"\xb5",
                b"5\0",
                b"00000000000000005",
                b"5 5",
                b"5:",
            )
        },
    ),
    *table(
        "9112 7.1",
        REFUSED,
        {
            "size line that ends in a line feed": chunked(b"5\nhello\r\n0\r\n\r\n"),
            "size line that ends in a carriage return": chunked(b"5\rhello\r\n0\r\n\r\n"),
            "content shorter than its chunk": chunked(b"6\r\nhello\r\n0\r\n\r\n"),
            "content longer than its chunk": chunked(b"4\r\nhello\r\n0\r\n\r\n"),
            "chunk that ends in a line feed": chunked(b"5\r\nhello\n0\r\n\r\n"),
            "chunk that ends in a carriage return": chunked(b"5\r\nhello\r0\r\n\r\n"),
            "chunk that ends in LF CR": chunked(b"5\r\nhello\n\r0\r\n\r\n"),
            "chunk without an end": chunked(b"5\r\nhello0\r\n\r\n"),
            "chunk that ends twice": chunked(b"5\r\nhello\r\n\r\n0\r\n\r\n"),
            "last chunk that ends in line feeds": chunked(b"5\r\nhello\r\n0\n\n"),
            "last line that is a line feed": chunked(b"5\r\nhello\r\n0\r\n\n"),
        },
    ),
    *table(
        "9112 7.1.1",
        REFUSED,
        {
            f"chunk extension {extension!r}": chunked(b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")
            for extension in (
                b";",
                b"; ",
                b";a=",
                b";=b",
                b';a="b',
                b';a="b"c',
                b";a b",
                b";a=b c",
                b";a\0",
                b";a=\x01",
                b";a\rb",
                b";a\nb",
                b";(",
                b";;a",
                b' ;a="\x7f"',
            )
        },
    ),
    Case("an extension beyond the limit", "9112 7.1.1", chunked(b"5;" + b"x" * 5000), REFUSED),
    Case(
        "extensions beyond the limit together",
        "9112 7.1.1",
        chunked((b"1;" + b"x" * 500 + b"\r\ny\r\n") * 100),
        REFUSED,
    ),
    Case(
        "a size beyond 64 bits",
        "9112 7.1",
        chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("400 close", "413 close"),
    ),
    Case(
        "a size of all bits", "9112 7.1", chunked(b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), ("413 close", "400 close")
    ),
    Case("a chunk beyond the limit", "9110 15.5.14", chunked(b"6400000\r\n"), ("413 close",)),
    *table(
        "9110 6.5.1",
        REFUSED,
        {
            f"{name.decode()} as a trailer": chunked(b"0\r\n" + name + b": 1\r\n\r\n")
            for name in (
                b"Content-Length",
                b"Transfer-Encoding",
                b"Host",
                b"Connection",
                b"Trailer",
                b"Authorization",
                b"Content-Type",
            )
        },
    ),
    *table(
        "9112 7.1.2",
        REFUSED,
        {
            "trailer with a space before the colon": chunked(b"0\r\nX : 1\r\n\r\n"),
            "trailer without a colon": chunked(b"0\r\nX\r\n\r\n"),
            "folded trailer": chunked(b"0\r\nX: 1\r\n 2\r\n\r\n"),
            "trailer with NUL": chunked(b"0\r\nX: \0\r\n\r\n"),
            "trailer that ends in a line feed": chunked(b"0\r\nX: 1\n\r\n"),
            "trailer with an empty name": chunked(b"0\r\n: 1\r\n\r\n"),
        },
    ),
    Case("too many trailers", "6585 5", chunked(b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n"), ("431 close", "400 close")),
    Case("a trailer beyond the limit", "6585 5", chunked(b"0\r\nX: " + b"y" * 10000), ("431 close", "400 close")),
]
