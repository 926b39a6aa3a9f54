"""Field lines (RFC 9112, section 5; RFC 9110, section 5)."""

from __future__ import annotations

from tests.conformance.case import REFUSED, SERVED, Case, request, table

START = b"GET /hello HTTP/1.1"


def with_line(line: bytes) -> bytes:
    return request(START, line)


CASES = [
    *table(
        "9110 5.5",
        SERVED,
        {
            "no space after the colon": with_line(b"X:y"),
            "spaces and tabs around a value": with_line(b"X: \t y \t "),
            "an empty value": with_line(b"X:"),
            "a value of blanks": with_line(b"X: \t "),
            "a value with colons": with_line(b"X: a:b:c"),
            "a value above ASCII": with_line(b"X: \xc3\xa9\xff"),
            "every character of a token in a name": with_line(b"!#$%&'*+-.^_`|~09azAZ: y"),
            "a name of one letter": with_line(b"X: y"),
            "the same field twice": request(START, b"X: y", b"X: z"),
            "a quoted string": with_line(b'X: "a\\"b"'),
            "a value of 4 KiB": with_line(b"X: " + b"y" * 4096),
        },
    ),
    *table(
        "9112 5.1",
        REFUSED,
        {
            "space before the colon": with_line(b"X : y"),
            "tab before the colon": with_line(b"X\t: y"),
            "space before the colon of Content-Length": with_line(b"Content-Length : 0"),
            "space before the colon of Transfer-Encoding": with_line(b"Transfer-Encoding : chunked"),
            "no colon": with_line(b"X y"),
            "no colon and no value": with_line(b"X"),
            "an empty name": with_line(b": y"),
            "a name with a space": with_line(b"X Y: z"),
            "a name with a parenthesis": with_line(b"X(: y"),
            "a name with a quotation mark": with_line(b'"X": y'),
            "a name with a slash": with_line(b"X/Y: z"),
            "a name with NUL": with_line(b"X\0Y: z"),
            "a name with DEL": with_line(b"X\x7f: z"),
            "a name above ASCII": with_line(b"X\xc3\xa9: y"),
            "a name with a bracket": with_line(b"X[0]: y"),
            "a name with a comma": with_line(b"X,Y: z"),
        },
    ),
    *table(
        "9112 5.2",
        REFUSED,
        {
            "a folded value": with_line(b"X: y\r\n z"),
            "a value folded with a tab": with_line(b"X: y\r\n\tz"),
            "a fold of blanks": with_line(b"X: y\r\n  "),
            "a folded Transfer-Encoding": with_line(b"Transfer-Encoding:\r\n chunked"),
            "a folded Host": request(START, b"Host:\r\n a", host=None),
        },
    ),
    *table(
        "9110 5.5",
        REFUSED,
        {
            "NUL in a value": with_line(b"X: a\0b"),
            "carriage return in a value": with_line(b"X: a\rb"),
            "line feed in a value": with_line(b"X: a\nb: c"),
            "line feed at the end of a value": b"GET /hello HTTP/1.1\r\nHost: a\r\nX: y\n\r\n",
            "DEL in a value": with_line(b"X: a\x7fb"),
            "escape in a value": with_line(b"X: a\x1bb"),
            "vertical tab in a value": with_line(b"X: a\x0bb"),
            "backspace in a value": with_line(b"X: a\x08b"),
            "carriage return before the end of a line": with_line(b"X: y\r"),
            "a head that ends in line feeds": b"GET /hello HTTP/1.1\r\nHost: a\n\n",
            "a head that ends in CR CR LF": b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\r\n",
            "a head that ends in CRLF LF": b"GET /hello HTTP/1.1\r\nHost: a\r\n\n",
        },
    ),
    Case("100 field lines", "6585 5", request(START, *[b"X: y"] * 99), SERVED),
    Case("101 field lines", "6585 5", request(START, *[b"X: y"] * 100), ("431 close",)),
    Case("fields beyond the limit together", "6585 5", request(START, *[b"X: " + b"y" * 4000] * 9), ("431 close",)),
    Case("one field beyond the limit", "6585 5", request(START, b"X: " + b"y" * 40000), ("431 close",)),
    Case("a name that never ends", "6585 5", START + b"\r\n" + b"x" * 40000, ("431 close",)),
    Case("unknown fields are ignored", "9110 5.1", request(START, b"X-Unknown: 1", b"Sec-Whatever: 2"), SERVED),
]
